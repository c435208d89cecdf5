"""Scales and ticks: powers of two and ten with plain labels, and a place for zero on them."""

import math
from collections.abc import Sequence
from typing import Any

from .numbers import power, written_out

TICKS = 6
BASES = {"log2": 2, "log10": 10}
ZERO_GAP = 0.12
"""How far left of the smallest positive value zero is drawn, as a share of the axis."""


def positions(
    values: Sequence[float | int], scale: str, everything: Sequence[float | int]
) -> list[float]:
    """Where values lie on a linear canvas: their logarithm on a logarithmic axis.

    Zero, which a budget may be, and what lies below it, which an interval's end may, go a fixed
    gap before the smallest positive of `everything`. NaN stays NaN.
    """
    if scale not in BASES:
        return [float(value) for value in values]
    base = BASES[scale]
    positive = [math.log(v, base) for v in everything if v > 0]
    low, high = (min(positive), max(positive)) if positive else (0.0, 1.0)
    zero = low - max(ZERO_GAP * (high - low), 0.25)
    return [math.log(v, base) if v > 0 else (zero if v <= 0 else math.nan) for v in values]


def set_ticks(axis: Any, scale: str, everything: Sequence[float | int]) -> None:
    """Label a logarithmic axis in the units of the data; a linear one keeps its own ticks."""
    if scale not in BASES:
        axis.get_major_formatter().set_useOffset(False)
        return
    base = BASES[scale]
    positive = [math.log(v, base) for v in everything if v > 0] or [0.0]
    first, last = math.floor(min(positive) + 1e-9), math.ceil(max(positive) - 1e-9)
    stride = max(1, math.ceil((last - first) / TICKS))
    exponents = list(range(first, last + 1, stride))
    plain = all(written_out(base, e) for e in exponents)
    ticks, labels = [float(e) for e in exponents], [power(base, e, plain) for e in exponents]
    if 0 in everything:
        ticks = positions([0.0], scale, everything) + ticks
        labels = ["0", *labels]
    axis.set_ticks(ticks, labels)
