"""Scaling by deeper search: what a doubling of the decision's budget buys."""

import numpy as np

from ...runs import Cell, Panel, Reference
from ...stats import slope
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import everywhere
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean
from ..measuring.rows import check, claimed

SMALLEST = 0.01
CLAIM = {
    "name": "budget_slope",
    "aspect": "scalability",
    "side": "direct",
    "title": "Scaling with decision compute",
    "statement": "Over the budgets tried, search from the rules alone comes nearer to the optimum "
    "with each doubling of its simulations.",
    "estimand": "Least-squares slope of the share of the way from random play to the optimum in "
    "log2 of the simulations a decision, over contested positions or episodes.",
    "unit": "positions (or episodes)",
    "smallest": "0.01 of the way a doubling",
    "refuted_if": "The slope lies short of 0.01 of the way a doubling, as for a search that "
    "ignores its budget.",
}

PLANTED = {
    "null": {
        "a search that ignores its budget": {"search": (0.5, 0.0)},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"search": (0.3, 0.02)}},
}
applies = everywhere


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets, and a network over the same dial where there is one."""
    networks = [_network(task, e)] if students.learned(task) else []
    return [shared.planner_score(task, e), *networks]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The slope, paired over positions; the network's is an instrument check."""
    budgets, cell = shared.budgets(task, e), shared.planner_score(task, e)
    search, low = results.table(cell), results.low(cell)
    steep = slope(np.log2(budgets), search, bounds=(low, 1) if np.isfinite(low) else None)
    rows = [
        claimed(
            CLAIM, task, "search", "way gained a doubling of simulations", steep,
            above=SMALLEST, unit="of the way a doubling",
        )
    ]  # fmt: skip
    series = [curve("search", budgets, list(search), low)]
    if students.learned(task):
        network = results.table(_network(task, e))
        flat = slope(np.log2(_dial(e)), network, bounds=(0, 0))
        rows.append(
            check(
                CLAIM, task, "network", "way gained a doubling of simulations", flat,
                within=(-1e-9, 1e-9), unit="of the way a doubling",
                note="a network has no budget to spend",
            )
        )  # fmt: skip
        series.append(curve("network", _dial(e), list(network), low))
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="way from random to optimum",
        x_scale="log2",
        series=series,
        references=[Reference(label="random", y=0.0), Reference(label="optimum", y=1.0)],
    )
    first, last = mean(search[0], low).estimate, mean(search[-1], low).estimate
    sentence = (
        f"On {task} a doubling of the simulations takes search {100 * steep.estimate:.1f} % of the "
        f"way, from {first:.2f} at {budgets[0]} to {last:.2f} at {budgets[-1]}."
    )
    return Shown(rows, [panel], sentence)


def _dial(e: Effort) -> tuple[int, ...]:
    return (e.budgets[0], e.budgets[len(e.budgets) // 2], e.budgets[-1])


def _network(task: str, e: Effort) -> Cell:
    policy = students.taught(task, e, students.most(task, e))[0]
    return shared.score(task, e, f"{shared.SUBJECTS}:network", _dial(e), policy=policy)
