"""Scales and ticks: powers of two and ten with plain labels, and a place for zero on them."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from .numbers import power, written_out

TICKS = 6
BASES = {"log2": 2, "log10": 10}
SHORT = 2.0
"""An axis of fewer decades than this also has ticks at 2 and 5."""

NAMED = 56
"""Characters that fit side by side beneath an axis."""

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
    """Label a logarithmic axis in the units of the data; a linear one keeps its own ticks.

    What is counted from left to right (turns, moves) has ticks at whole numbers only.
    """
    if scale not in BASES:
        axis.get_major_formatter().set_useOffset(False)
        counted = {v for v in everything if math.isfinite(v)}
        if axis.axis_name == "x" and len(counted) > 2 and all(v == round(v) for v in counted):
            axis.get_major_locator().set_params(integer=True)
        return
    positive = [v for v in everything if v > 0] or [1.0]
    ticks, labels = log_ticks(min(positive), max(positive), BASES[scale])
    if 0 in everything:
        ticks, labels = [*positions([0.0], scale, everything), *ticks], ["0", *labels]
    # Ticks beyond the data must not make room for themselves.
    seen = axis.get_view_interval().copy()
    axis.set_ticks(ticks, labels)
    axis.set_view_interval(*seen, ignore=True)


def name_ticks(axis: Any, names: Sequence[str], everything: Sequence[float | int]) -> None:
    """Label the places of points, from left to right, by names, in short lines.

    Points lie at whole numbers, or a little beside, so that they do not cover each other.
    """
    places = sorted({round(x) for x in everything})
    assert len(places) == len(names), f"{len(places)} places and the names {list(names)}"
    width = max(8, NAMED // len(names))
    axis.set_ticks(places, ["\n".join(textwrap.wrap(name, width)) for name in names])
    room = 0.5 * (places[-1] - places[0]) / max(len(places) - 1, 1) or 0.5
    axis.set_view_interval(places[0] - room, places[-1] + room, ignore=True)


def log_ticks(low: float | int, high: float | int, base: int) -> tuple[list[float], list[str]]:
    """Where ticks stand, as exponents, and their labels; they cover the span from low to high."""
    first = math.floor(math.log(low, base) + 1e-9)
    last = math.ceil(math.log(high, base) - 1e-9)
    stride = max(1, math.ceil((last - first) / TICKS))
    exponents = range(first, last + 1, stride)
    steps = (1, 2, 5) if base == 10 and math.log10(high / low) < SHORT else (1,)
    plain = all(written_out(base, e) for e in exponents)
    pairs = [(math.log(m, base) + e, power(base, e, plain, m)) for e in exponents for m in steps]
    room = 0.02 * (math.log(high, base) - math.log(low, base)) + 1e-9
    ends = math.log(low, base) - room, math.log(high, base) + room
    inside = [(at, label) for at, label in pairs if ends[0] <= at <= ends[1]]
    chosen = inside if len(inside) > 1 else pairs
    return [at for at, _ in chosen], [label for _, label in chosen]
