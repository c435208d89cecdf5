"""Generalisation of learning: as far as what was covered, at the same number of examples."""

import numpy as np

from ...runs import Cell, Panel, Reference
from ...stats import bootstrap
from ..measuring import cells as shared
from ..measuring import trials
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean
from ..measuring.rows import claimed, told

SMALLEST = 0.1
CLAIM = {
    "name": "generalisation_network",
    "aspect": "generalisation",
    "side": "amortised",
    "title": "Generalisation of learning: coverage of the data",
    "statement": "Shown the same number of examples, a network comes nearer to the optimum in "
    "positions that nobody showed it, the more of the other positions its examples cover.",
    "estimand": "On contested positions kept apart: way of networks fitted to exact answers in all "
    "other positions less way of those fitted to a sixteenth of them, both with equally many "
    "examples (repeated where needed); classes of positions under the task's symmetries are "
    "covered or not as a whole.",
    "unit": "trainings and positions",
    "smallest": "0.1 of the way",
    "refuted_if": "Covering all gains less than 0.1 of the way over covering a sixteenth, as for a "
    "network that does not learn.",
}
PLANTED = {
    "null": {
        "coverage that does not matter": {"more": {"covered": (0.7, 0.7)}},
        "a network that does not learn": {"more": {"covered": (0.0, 0.0)}},
    },
    "effect": {"twice the smallest": {"more": {"covered": (0.75, 0.95)}}},
}
applies = positions_only


def shares(e: Effort) -> tuple[float, ...]:
    """The parts of the positions that are covered."""
    return {
        "smoke": (1 / 16, 1.0),
        "quick": (1 / 16, 1 / 4, 1.0),
        "full": (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0),
    }[e.name]


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks by coverage, and smaller ones at the most of it."""
    wide = [trials.covered(task, e, share, e.width) for share in shares(e)]
    return [*wide, _narrow(task, e), shared.positions(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What coverage gains, paired over trainings and positions."""
    low = float(results.outcomes(shared.positions(task, e))["low"])
    found = [results.outcomes(trials.covered(task, e, share, e.width)) for share in shares(e)]
    by_share = [np.array(x["way"]) for x in found]
    bounds = (low - 1, 1 - low)
    gained = bootstrap(by_share[-1] - by_share[0], bounds=bounds)
    narrow = np.array(results.outcomes(_narrow(task, e))["way"])
    wider = bootstrap(by_share[-1] - narrow, bounds=bounds)
    few, many = found[0]["covered"], found[-1]["covered"]
    who = f"network ({max(e.lessons):,} examples)"
    rows = [
        claimed(
            CLAIM, task, who, "way gained by covering all over a sixteenth", gained,
            above=SMALLEST, unit="of the way",
            note=f"{many:,.0f} different positions against {few:,.0f}",
        ),
        told(
            CLAIM, task, who, "way gained by capacity", wider, unit="of the way",
            note=f"{e.width} hidden units a layer against {_width(e)}, all covered",
        ),
        told(CLAIM, task, who, "way where all others are covered", mean(by_share[-1], low),
             unit="of the way"),
    ]  # fmt: skip
    panel = Panel(
        title=task,
        x_label="share of the other positions covered",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[
            curve(f"{e.width} hidden units", shares(e), by_share, low),
            curve(f"{_width(e)} hidden units", shares(e)[-1:], [narrow], low),
        ],
        references=[Reference(label="random", y=0.0), Reference(label="optimum", y=1.0)],
    )
    sentence = (
        f"On {task}, with {max(e.lessons):,} examples each, networks go {by_share[0].mean():.2f} "
        f"of the way where a sixteenth of the other positions was shown, {by_share[-1].mean():.2f} "
        "where all were."
    )
    return Shown(rows, [panel], sentence)


def _width(e: Effort) -> int:
    return max(e.width // 8, 4)


def _narrow(task: str, e: Effort) -> Cell:
    return trials.covered(task, e, 1.0, _width(e))
