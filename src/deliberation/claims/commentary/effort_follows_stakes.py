"""Effort can be turned on when wanted: a search that stops by itself thinks where it matters."""

from itertools import pairwise

import numpy as np

from ...runs import Cell, Panel, Series
from ...stats import Estimate, bootstrap, weighted_sum
from ..measuring import cells as shared
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed, told

BUDGET, SMALLEST = 256, 0.3
FEWEST = 20
"""Positions of either kind from which on they are compared."""
CLAIM = {
    "name": "effort_follows_stakes",
    "aspect": "commentary",
    "side": "direct",
    "title": "Effort follows what is at stake",
    "statement": "A search that stops where another simulation is not worth its cost works at "
    "least 0.3 doublings harder, against a search with a fixed budget, in positions where it "
    "matters what is done than where it does not.",
    "estimand": "Mean log2 of its model steps over those of the same search with a fixed budget, "
    "on contested positions less on those in which all of several actions are worth the same; "
    "neither search ends because a value is proved.",
    "unit": "positions",
    "smallest": "0.3 doublings",
    "refuted_if": "The difference lies below 0.3 doublings, as for a fixed budget.",
}
PLANTED = {
    "null": {"a search that never stops": {"more": {"stops": 0.0}}},
    "effect": {"twice the smallest": {"more": {"stops": 0.6}}},
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search that stops by itself and with a fixed budget, on positions of every kind."""
    return [shared.positions(task, e, "any"), _search(task, e), _economical(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Steps against those of the fixed budget, where something is at stake and where not."""
    stakes = results.column(shared.positions(task, e, "any"), "stakes")
    fixed, own = (results.table(cell, "model_steps")[0] for cell in _both(task, e))
    more = np.log2(np.maximum(own, 1) / np.maximum(fixed, 1))
    apart = stakes > 1e-6 * max(float(stakes.max()), 1e-30)
    # Where there is but one action nobody has to be told that nothing is at stake.
    idle_rows = ~apart & (results.column(shared.positions(task, e, "any"), "choices") > 1)
    groups = min(int(apart.sum()), int(idle_rows.sum()))
    known, enough = groups > 1, groups >= FEWEST
    low = results.low(_search(task, e))
    ways = [mean(results.table(cell)[0], low) for cell in _both(task, e)]
    at, idle = (
        bootstrap(more[rows]) if known else Estimate(0, 0, 0, 0) for rows in (apart, idle_rows)
    )
    quantity, who = "harder where it matters", f"search that stops by itself ({BUDGET} at most)"
    rows = [
        claimed(CLAIM, task, who, quantity, weighted_sum([at, idle], [1.0, -1.0]),
                above=SMALLEST, unit="doublings")
        if enough
        else told(CLAIM, task, who, quantity, bootstrap(more), unit="doublings",
                  note=f"fewer than {FEWEST} positions of one kind: over all of them"),
        told(CLAIM, task, who, "way reached", ways[1], unit="of the way"),
        told(CLAIM, task, f"search ({BUDGET})", "way reached", ways[0], unit="of the way"),
    ]  # fmt: skip
    panel = Panel(
        title=task,
        x_label="at stake, in units of return",
        y_label="log2 of steps over a fixed budget's",
        series=[_by_stake(stakes, more)],
    )
    sentence = (
        f"On {task} search that stops by itself takes {2 ** more[apart].mean():.2f} of a fixed "
        f"budget's steps where something is at stake, and {2 ** more[idle_rows].mean():.2f} where "
        "nothing is."
        if known
        else f"On {task} no position can be compared with one of another kind."
    )
    return Shown(rows, [panel], sentence)


def _by_stake(stakes: np.ndarray, more: np.ndarray) -> Series:
    """Means over up to eight bands of stakes."""
    cuts = np.unique(np.quantile(stakes, np.linspace(0, 1, 9)))
    bands = [(stakes >= low) & (stakes <= high) for low, high in pairwise(cuts)] or [
        np.ones(len(stakes), bool)
    ]
    filled = [band for band in bands if band.any()]
    return Series(
        label="search that stops by itself",
        x=[float(stakes[band].mean()) for band in filled],
        y=[float(more[band].mean()) for band in filled],
    )


def _both(task: str, e: Effort) -> tuple[Cell, Cell]:
    return _search(task, e), _economical(task, e)


def _search(task: str, e: Effort) -> Cell:
    return _spends(task, e, "planner")


def _economical(task: str, e: Effort) -> Cell:
    return _spends(task, e, "economical")


def _spends(task: str, e: Effort, who: str) -> Cell:
    """Without proofs, which would end the fixed search early where play is short."""
    subject, options = f"{shared.SUBJECTS}:{who}", {"prove": False}
    return shared.score(task, e, subject, (BUDGET,), options=options, which="any", timed=False)
