"""Item 25, the decision side: what a doubling of the search's budget buys, and the network's."""

import numpy as np

from ..runs import Cell, Panel, Reference
from ..stats import judge, slope
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, curve, mean, row

CLAIM = {
    "name": "budget_slope",
    "item": 25,
    "title": "Scaling with decision compute",
    "statement": "Over the budgets tried, search scores more for each doubling; a network's answer "
    "does not depend on the budget.",
    "refuted_if": "The slope of search's score in log2 of the budget lies at or below 0, or the "
    "network's leaves [-0.001, 0.001].",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets, and a network over the same dial."""
    return [_cells.uct_score(task, e), _cells.random_score(task, e), _network(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Slopes of the share of contested positions whose value is kept, per doubling."""
    log2 = np.log2(e.budgets)
    search = results.table(_cells.uct_score(task, e))
    network = results.table(_network(task, e))
    steep = slope(log2, search, bounds=(0, 1))
    flat = slope(np.log2(_dial(e)), network, bounds=(0, 0))
    chance = mean(results.table(_cells.random_score(task, e))[0])
    rows = [
        row(CLAIM, task, "search", "score per doubling", steep, judge(steep, above=0)),
        row(CLAIM, task, "network", "score per doubling", flat, judge(flat, within=(-1e-3, 1e-3))),
    ]
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="value kept",
        x_scale="log2",
        series=[
            curve("search", e.budgets, list(search)),
            curve("network", _dial(e), list(network)),
        ],
        references=[Reference(label="random", y=chance.estimate)],
    )
    sentence = (
        f"On {task} a doubling of the budget adds {100 * steep.estimate:.1f} points to search, "
        f"from {search[0].mean():.2f} at {e.budgets[0]} to {search[-1].mean():.2f} at "
        f"{e.budgets[-1]} simulations, and {100 * flat.estimate:.1f} to the network."
    )
    return Shown(rows, [panel], sentence)


def _dial(e: Effort) -> tuple[int, ...]:
    return (e.budgets[0], e.budgets[len(e.budgets) // 2], e.budgets[-1])


def _network(task: str, e: Effort) -> Cell:
    policy = _students.taught(task, e, max(e.lessons))[0]
    return _cells.score(task, e, {"kind": "network"}, _dial(e), policy=policy)
