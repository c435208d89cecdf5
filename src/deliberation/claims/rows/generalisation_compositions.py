"""Generalisation of learning to compositions: places and goals that were seen, but never together.

A room whose goal, one of eight, is shown: a position is a pair of a place and a goal. Whole pairs
are kept apart, so that what is tested is a new composition of parts that were taught (as Lake and
Baroni 2018, "Generalization without systematicity", do with words).
"""

import numpy as np

from ...runs import Cell
from ...stats import bootstrap
from ..measuring import cells as shared
from ..measuring import trials
from ..measuring.about import About, once
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean, way_panel
from ..measuring.rows import claimed, told

SHARES = (1 / 8, 1 / 3, 1.0)
"""The parts of the pairs that may be taught which networks are shown."""
SMALLEST = 0.1
CLAIM = {
    "name": "generalisation_compositions",
    "aspect": "generalisation",
    "side": "amortised",
    "title": "Generalisation of learning: new compositions of what is known",
    "statement": "Shown the same number of examples, a network comes nearer to the optimum in "
    "pairs of a place and a goal that nobody showed it together, the more of the other pairs its "
    "examples cover.",
    "estimand": "On a third of the pairs, kept apart as whole pairs: way of networks fitted to the "
    "exact answers in all other pairs less way of those fitted to an eighth of them, both with "
    "equally many examples (repeated where needed); by coverage and by capacity.",
    "unit": "trainings and pairs",
    "smallest": "0.1 of the way",
    "refuted_if": "Covering all gains less than 0.1 of the way over covering an eighth, as for a "
    "network that does not learn, or one that composes from few pairs as well as from many.",
}
PLANTED = {
    "null": {
        "coverage that does not matter": {"more": {"covered": (0.7, 0.7)}},
        "a network that does not learn": {"more": {"covered": (0.0, 0.0)}},
    },
    "effect": {"twice the smallest": {"more": {"covered": (0.75, 0.95)}}},
}
WORLDS = ("gridworld_goals",)


def applies(it: About, e: Effort) -> str:
    """Asked once a table, of a world of its own; a smoke test leaves it out."""
    return once(it, e) or ("the least effort leaves it out" if e.name == "smoke" else "")


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks of two capacities by coverage."""
    return [shared.positions(task, e), *(_cell(task, e, s, w) for w in _widths(e) for s in SHARES)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What coverage gains, paired over trainings and pairs, and what capacity does."""
    low = float(results.outcomes(shared.positions(task, e))["low"])
    narrow, wide = (
        [np.array(results.outcomes(_cell(task, e, share, width))["way"]) for share in SHARES]
        for width in _widths(e)
    )
    bounds = (low - 1, 1 - low)
    few, many = (results.outcomes(_cell(task, e, s, e.width))["covered"] for s in SHARES[::2])
    who, small = (f"network ({width} hidden units)" for width in reversed(_widths(e)))
    note = f"{many:,.0f} different pairs against {few:,.0f}"
    rows = [
        claimed(
            CLAIM, task, who, "way gained by covering all over an eighth",
            bootstrap(wide[-1] - wide[0], bounds=bounds), above=SMALLEST, unit="of the way",
            note=note,
        ),
        told(CLAIM, task, small, "way gained by covering all over an eighth",
             bootstrap(narrow[-1] - narrow[0], bounds=bounds), unit="of the way", note=note),
        told(CLAIM, task, who, "way gained by capacity, all covered",
             bootstrap(wide[-1] - narrow[-1], bounds=bounds), unit="of the way"),
        told(CLAIM, task, who, "way where all others are covered", mean(wide[-1], low),
             unit="of the way"),
    ]  # fmt: skip
    series = [curve(f"{w} hidden units", SHARES, ways, low)
              for w, ways in zip(_widths(e), (narrow, wide), strict=True)]  # fmt: skip
    title, label = f"{task}: pairs that nobody showed", "share of the other pairs covered"
    panel = way_panel(title, label, series, x_scale="log2")
    sentence = (
        f"In pairs of a place and a goal that nobody showed, networks go {wide[0].mean():.2f} of "
        f"the way where an eighth of the other pairs was shown and {wide[-1].mean():.2f} where "
        "all were."
    )
    return Shown(rows, [panel], sentence)


def _widths(e: Effort) -> tuple[int, int]:
    return max(e.width // 8, 4), e.width


def _cell(task: str, e: Effort, share: float, width: int) -> Cell:
    return trials.covered(task, e, share, width)
