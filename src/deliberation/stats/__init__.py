"""Estimates with intervals, verdicts, positions, and curves of score against compute."""

from .curves import (
    Plane,
    break_even,
    curvature,
    exchange_rate,
    needed_cost,
    search_equivalent,
    slope,
)
from .family import Claimed, holm, judge_family, p_value
from .intervals import (
    Estimate,
    SampleError,
    bootstrap,
    bootstrap_means,
    exact_proportion,
    nothing,
    paired_bootstrap,
    proportion,
    rate,
    weighted_sum,
)
from .position import Position, position, shapley
from .verdict import Verdict, combine, judge

__all__ = [
    "Claimed",
    "Estimate",
    "Plane",
    "Position",
    "SampleError",
    "Verdict",
    "bootstrap",
    "bootstrap_means",
    "break_even",
    "combine",
    "curvature",
    "exact_proportion",
    "exchange_rate",
    "holm",
    "judge",
    "judge_family",
    "needed_cost",
    "nothing",
    "p_value",
    "paired_bootstrap",
    "position",
    "proportion",
    "rate",
    "search_equivalent",
    "shapley",
    "slope",
    "weighted_sum",
]
