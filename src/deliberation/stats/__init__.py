"""Estimates with intervals, verdicts, positions, and curves of score against compute."""

from .curves import Plane, break_even, exchange_rate, search_equivalent, slope
from .intervals import (
    Estimate,
    SampleError,
    bootstrap,
    bootstrap_means,
    nothing,
    paired_bootstrap,
    proportion,
    rate,
)
from .position import Position, position, shapley
from .verdict import Verdict, combine, judge

__all__ = [
    "Estimate",
    "Plane",
    "Position",
    "SampleError",
    "Verdict",
    "bootstrap",
    "bootstrap_means",
    "break_even",
    "combine",
    "exchange_rate",
    "judge",
    "nothing",
    "paired_bootstrap",
    "position",
    "proportion",
    "rate",
    "search_equivalent",
    "shapley",
    "slope",
]
