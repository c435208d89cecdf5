"""Estimates with intervals, verdicts, positions, and curves of score against compute."""

from .anytime import anytime_mean
from .coverage import (
    BetaLaw,
    beta_failure,
    fit_beta_law,
    majority_at_k,
    pass_at_k,
)
from .curves import (
    Plane,
    break_even,
    curvature,
    exchange_rate,
    needed_cost,
    search_equivalent,
    slope,
)
from .estimate import Estimate, bounded, nothing
from .family import Claimed, holm, judge_family, p_value
from .intervals import (
    SampleError,
    bootstrap,
    bootstrap_means,
    exact_proportion,
    paired_bootstrap,
    proportion,
    rate,
    weighted_sum,
)
from .position import Position, position, shapley
from .verdict import Verdict, combine, judge

__all__ = [
    "BetaLaw",
    "Claimed",
    "Estimate",
    "Plane",
    "Position",
    "SampleError",
    "Verdict",
    "anytime_mean",
    "beta_failure",
    "bootstrap",
    "bootstrap_means",
    "bounded",
    "break_even",
    "combine",
    "curvature",
    "exact_proportion",
    "exchange_rate",
    "fit_beta_law",
    "holm",
    "judge",
    "judge_family",
    "majority_at_k",
    "needed_cost",
    "nothing",
    "p_value",
    "paired_bootstrap",
    "pass_at_k",
    "position",
    "proportion",
    "rate",
    "search_equivalent",
    "shapley",
    "slope",
    "weighted_sum",
]
