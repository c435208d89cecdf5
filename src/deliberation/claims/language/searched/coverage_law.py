"""How many samples hold a right one: forecast from a few by a Beta law of the problems' chances."""

import numpy as np

from ....runs import Panel
from ....stats import bootstrap
from ...experiments.arms import all_found, found, lines, share
from ...experiments.language.countdown_chosen import FORECAST
from ...experiments.language.countdown_searches import FIT, planned
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

CLAIMED = (32, 64)
"""Samples for which the forecast is claimed: of the largest number, 128, there is one set only."""
NEAR, BETTER = 0.03, 0.03
WIDE = (-1.0, 1.0)
"""What differences of shares are bounded by."""
CLAIM = {
    "name": "coverage_law",
    "aspect": "language",
    "chapter": "searched",
    "side": "both",
    "title": "Coverage follows from how problems differ",
    "statement": "A Beta law of the chances of problems, fitted to 16 samples of each, forecasts "
    "to within 3 points in how many of the same problems one of 32 and one of 64 further "
    "samples is right, and at least 3 points nearer than if all problems had the same chance.",
    "estimand": "Distance between forecast and measured coverage of the same problems by other "
    "samples (the unbiased estimate from 128 of each), at 32 and 64 samples; the distance of the "
    "forecast by one chance for all problems, less that.",
    "unit": "trainings",
    "smallest": "3 points of coverage",
    "refuted_if": "The law is off by more than 3 points, or less than 3 points nearer than one "
    "chance for all problems, as where all problems are the same.",
}
OWN = "each problem's own share"
"""The chance c/16 that a problem's samples show: 1 - (1 - c/16)^k."""
WORLDS = ("samples of Countdown with four numbers",)


def _rows(k: int) -> tuple[str, str]:
    return f"forecast off, at {k} samples", f"nearer than one chance for all, at {k} samples"


NULL = {
    "what": "all problems of a training are one and the same",
    "rows": tuple(_rows(k)[1] for k in CLAIMED),
    "stands": {
        _rows(k)[0]: "problems that are alike are a Beta law, too, with all its mass at one chance"
        for k in CLAIMED
    },
}
"""The rows that must not be supported where this is taken out."""
_SPREAD = (0.02, 0.0, 1.0)
_OFF = (0.005, 0.0, 1.0)
TRUE = {
    "measured": ([0.83, 0.88, 0.92], *_SPREAD), "law": ([0.835, 0.90, 0.94], *_SPREAD),
    "own": ([0.78, 0.81, 0.83], *_SPREAD),
    "alike": ([0.97, 0.99, 1.0], *_SPREAD), "power": (0.9, 0.1),
    "law_error": ([0.01, 0.015, 0.02], *_OFF), "alike_error": ([0.07, 0.075, 0.08], *_SPREAD),
}  # fmt: skip
PLANTED = {
    "null": {
        "all problems are alike": planted(TRUE, alike_error=TRUE["law_error"]),
        "the law is off by 6 points": planted(TRUE, law_error=([0.06, 0.06, 0.06], *_OFF)),
    },
    "effect": {"half of the smallest off, and nearer by twice the smallest": planted(TRUE)},
}
cells = planned("problems")


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How far both forecasts are off."""
    (cell,) = cells(world, e, null=null)
    off, alike, measured, law, one, own = all_found(
        results, cell, "law_error", "alike_error", "measured", "law", "alike", "own"
    )
    power, of = found(results, cell, "power"), {"unit": "of problems"}
    rows = []
    for k in CLAIMED:
        at, (near, nearer) = FORECAST.index(k), _rows(k)
        rows += [
            claimed(CLAIM, world, "Beta law", near, share(off[:, at]), below=NEAR, **of),
            claimed(CLAIM, world, "Beta law", nearer,
                    bootstrap(alike[:, at] - off[:, at], bounds=WIDE), above=BETTER, **of),
        ]  # fmt: skip
    for at, k in enumerate(FORECAST):
        rows += [
            told(CLAIM, world, "measured", f"one of {k} samples right", share(measured[:, at]),
                 **of),
            told(CLAIM, world, "Beta law", f"forecast minus measured, at {k} samples",
                 bootstrap((law - measured)[:, at], bounds=WIDE), **of),
            told(CLAIM, world, "one chance for all", f"forecast minus measured, at {k} samples",
                 bootstrap((one - measured)[:, at], bounds=WIDE), **of),
            told(CLAIM, world, OWN, f"forecast minus measured, at {k} samples",
                 bootstrap((own - measured)[:, at], bounds=WIDE), **of),
        ]  # fmt: skip
    rows.append(
        told(CLAIM, world, "Beta law", "power with which failure falls in the end",
             bootstrap(power, bounds=(0.0, 1e6)))
    )  # fmt: skip
    shown = {"measured": measured, "Beta law": law, "one chance for all problems": one, OWN: own}
    panel = Panel(
        title=f"forecast from {FIT} samples of each problem",
        x_label="further samples",
        y_label="share of problems with a right one",
        x_scale="log2",
        series=lines(FORECAST, shown),
    )
    told_at = "; ".join(
        f"{k}: {measured[:, i].mean():.2f}, by the law {law[:, i].mean():.2f}, by one chance "
        f"{one[:, i].mean():.2f}, by each problem's own share {own[:, i].mean():.2f}"
        for i, k in enumerate(FORECAST)
    )
    sentence = (
        f"Share of problems in which one of so many further samples is right, and what was "
        f"forecast from {FIT} samples of each: {told_at}. The law is off by "
        f"{_points(off)} points, one chance for all problems by {_points(alike)}."
    )
    return Shown(rows, [panel], sentence)


def _points(off: np.ndarray) -> str:
    return ", ".join(f"{100 * x:.1f}" for x in off.mean(0))
