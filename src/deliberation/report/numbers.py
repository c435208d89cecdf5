"""Numbers as people read them: enough digits, no more, the same in the terminal and the page."""

import math

Number = float | int
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"
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
    return _signed(f"{value:,.{decimals}f}")


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
    places = _interval_decimals(max(finite) - min(finite), largest) if finite else None
    return f"{number(value, places)} [{number(low, places)}, {number(high, places)}]"


def written_out(base: int, exponent: int) -> bool:
    """Whether a power is short enough to be written as a plain number."""
    return PLAIN_FROM <= float(base) ** exponent <= PLAIN_BELOW / 10


def power(base: int, exponent: int, plain: bool) -> str:
    """A tick on a logarithmic axis, written out or as a power."""
    if not plain:
        return f"{base}{str(exponent).translate(SUPERSCRIPTS)}"
    value = float(base) ** exponent
    return f"{value:,.{_tick_decimals(value)}f}"


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


def _interval_decimals(width: Number, largest: Number) -> int:
    """Two significant digits of the interval's width, one at least where all lies below 1."""
    if width <= 0:
        return 0 if largest == round(largest) else min(4, _decimals(largest))
    return min(4, max(0, 1 - math.floor(math.log10(width))))


def _tick_decimals(value: Number) -> int:
    return 0 if value >= 1 else len(f"{value:.10f}".rstrip("0")) - 2


def _signed(text: str) -> str:
    """With a true minus sign, and no minus on a zero."""
    if text.startswith("-"):
        return "−" + text[1:] if any(c in "123456789" for c in text) else text[1:]
    return text
