"""Numbers as people read them: enough digits, no more, the same in the terminal and the page."""

import math

Number = float | int
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"
THIN = "\u202f"
PLAIN_BELOW = 1e6
PLAIN_FROM = 1e-3


def number(value: Number | None, decimals: int | None = None) -> str:
    """One number: three significant digits where it is small, whole and grouped where large."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value != 0 and not PLAIN_FROM <= size < PLAIN_BELOW and decimals is None:
        return _scientific(value)
    if decimals is None:
        decimals = 0 if size >= 1000 or value == round(value) else _decimals(size)
    return _grouped(round(value, decimals), max(decimals, 0))


def estimate(value: Number | None, low: Number | None, high: Number | None) -> str:
    """An estimate with its interval, to the digits that the interval's width bears out."""
    if value is None or math.isnan(value):
        return MISSING
    if low is None or high is None:
        return number(value)
    finite = [end for end in (value, low, high) if math.isfinite(end)]
    largest = max(map(abs, finite), default=0)
    if largest >= PLAIN_BELOW or 0 < largest < PLAIN_FROM:
        return _scientific_estimate(value, low, high, math.floor(math.log10(largest)))
    places = _places(value, low, high, max(finite) - min(finite)) if finite else None
    return f"{number(value, places)} [{number(low, places)}, {number(high, places)}]"


def written_out(base: int, exponent: int) -> bool:
    """Whether a power is short enough to be written as a plain number."""
    return PLAIN_FROM <= float(base) ** exponent <= PLAIN_BELOW / 10


def power(base: int, exponent: int, plain: bool, times: int = 1) -> str:
    """A tick on a logarithmic axis, some times a power: written out or as a power."""
    if not plain:
        factor = f"{times}×" if times != 1 else ""
        return f"{factor}{base}{str(exponent).translate(SUPERSCRIPTS)}"
    value = times * float(base) ** exponent
    return _grouped(value, _tick_decimals(value))


def duration(seconds: Number) -> str:
    """A span of time in the unit a person would use."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _scientific(value: Number) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    return _signed(f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}")


def _scientific_estimate(value: Number, low: Number, high: Number, exponent: int) -> str:
    """All three numbers to the same power of ten, which is written once."""
    middle, *ends = (number(x / 10.0**exponent, 2) for x in (value, low, high))
    return f"{middle} [{', '.join(ends)}] × 10{str(exponent).translate(SUPERSCRIPTS)}"


def _decimals(size: Number) -> int:
    return max(0, 2 - math.floor(math.log10(size))) if size >= 0.01 else 4


def _places(value: Number, low: Number, high: Number, width: Number) -> int:
    """Two significant digits of the interval's width, and up to two places more where they show.

    The estimate gets two digits of its own if one more place gives them; an end that is not zero
    does not become it. Negative places round to tens, hundreds and so on.
    """
    if width <= 0:
        alone = next(x for x in (value, low, high) if math.isfinite(x))
        return 0 if alone == round(alone) else min(4, _decimals(abs(alone)))
    places = 1 - math.floor(math.log10(width))
    if math.isfinite(value) and value != 0:
        places = min(max(places, 1 - math.floor(math.log10(abs(value)))), places + 1)
    ends = [abs(end) for end in (low, high) if math.isfinite(end) and end != 0]
    if ends:
        places = min(max(places, -math.floor(math.log10(min(ends)))), places + 2)
    return min(4, places)


def _tick_decimals(value: Number) -> int:
    return 0 if value >= 1 else len(f"{value:.10f}".rstrip("0")) - 2


def _grouped(value: Number, decimals: int) -> str:
    """With narrow spaces between thousands: a comma would look like the interval's own."""
    return _signed(f"{value:,.{decimals}f}".replace(",", THIN))


def _signed(text: str) -> str:
    """With a true minus sign, and no minus on a zero."""
    if text.startswith("-"):
        return "−" + text[1:] if any(c in "123456789" for c in text) else text[1:]
    return text
