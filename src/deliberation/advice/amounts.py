"""Numbers with their units, as people read them: times, dollars, counts, scores."""

import math

_SPANS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def span(seconds: float | int) -> str:
    """A time in the unit a person would use: two or three digits."""
    # Up to two of a unit are told in the next smaller one: 90 s, and not 1.5 min.
    fitting = [x for x in _SPANS if seconds >= (2 * x[0] if x[0] >= 60 else x[0])]
    size, unit = (fitting or _SPANS[-1:])[0]
    return f"{number(seconds / size)} {unit}" if math.isfinite(seconds) else count(seconds)


def number(value: float | int) -> str:
    """Up to three digits that say something."""
    if not math.isfinite(value):
        return count(value)
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        digits = 3 if abs(value) < 100 else len(str(int(abs(value))))
        return f"{float(f'{value:.{digits}g}'):,.10g}".replace("-", "−").replace(",", "\u202f")
    return f"{value:.1e}".replace("-", "−")


def digits(value: float | int) -> str:
    """To two digits."""
    return number(float(f"{value:.2g}"))


def count(value: float | int) -> str:
    """A number of decisions, to two digits."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{float(f'{value:.2g}'):.10g}"


def dollars(value: float | int) -> str:
    """An amount of money; tiny ones are not worth their digits."""
    if not math.isfinite(value):
        return count(value)
    if 0 < value < 0.01:
        return "under 1 ¢"
    return f"${value:,.0f}".replace(",", "\u202f") if value >= 100 else f"${value:.2f}"


def percent(part: float | int) -> str:
    """A part of resamples; all and none of some thousand are not certain."""
    if part >= 0.995:
        return "over 99 %"
    return "under 1 %" if 0 < part < 0.005 else f"{100 * part:.0f} %"


def factor(value: float | int) -> str:
    """How many times as much."""
    return f"{value:.3g} times" if value < 100 else f"{count(value)} times"


def score(value: float | int, low: float | int, high: float | int) -> str:
    """A score with its interval, to the digits that the width of the interval bears out."""
    width = max(high - low, 0.0)
    largest = max(abs(value), abs(low), abs(high))
    if width == 0 or not math.isfinite(width):
        return number(value)
    places = min(max(1 - math.floor(math.log10(width)), 0), 6)
    if largest >= 1e6:
        return f"{number(value)} [{number(low)}, {number(high)}]"
    told = (f"{x:.{places}f}".replace("-", "−") for x in (value, low, high))
    middle, *ends = (x.removeprefix("−") if float(x.replace("−", "-")) == 0 else x for x in told)
    return f"{middle} [{', '.join(ends)}]"
