"""Item 35: optimal play from the rules alone, given enough compute."""

import numpy as np

from ..runs import Cell, Panel
from ..stats import Estimate, judge, slope
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, curve, mean, percent, row

CLAIM = {
    "name": "optimal_from_rules",
    "item": 35,
    "title": "Optimal play from the rules alone",
    "statement": "Given enough compute, search plays optimally knowing nothing but the rules.",
    "refuted_if": "The share of positions whose value is kept lies below 0.99 at the largest "
    "budget, and over the last three budgets it rises by less than 0.005 a doubling.",
}

ENOUGH, RISING = 0.99, 0.005


def cells(task: str, e: Effort) -> list[Cell]:
    """Unguided search on every position at large budgets, without data or fits."""
    return [_search(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Supported at 99 % and above; refuted only where more compute no longer helps."""
    table, budgets = results.table(_search(task, e)), _budgets(e)
    last = mean(table[-1])
    rising = slope(np.log2(budgets[-3:]), table[-3:], bounds=(0, 1))
    data = results.spent(_search(task, e))["data"]
    note = f"{data:.0f} training examples"
    who = f"search ({budgets[-1]})"
    rows = [
        row(CLAIM, task, who, "value kept", last, _verdict(last, rising), note=note),
        row(CLAIM, task, who, "score per doubling, last three budgets", rising),
    ]
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="value kept",
        x_scale="log2",
        series=[curve("search", budgets, list(table))],
    )
    sentence = (
        f"On {task} search with {budgets[-1]} simulations keeps the value of {percent(last)} of "
        f"{table.shape[1]:,} positions."
    )
    return Shown(rows, [panel], sentence)


def _verdict(last: Estimate, rising: Estimate) -> str:
    if judge(last, above=ENOUGH) == "supported":
        return "supported"
    stuck = judge(rising, below=RISING) == "supported"
    return "refuted" if stuck and judge(last, above=ENOUGH) == "refuted" else "inconclusive"


def _budgets(e: Effort) -> tuple[int, ...]:
    return tuple(b for b in (16, 64, 256, 1024, 4096) if b <= max(256, e.budgets[-1]))


def _search(task: str, e: Effort) -> Cell:
    return _cells.score(task, e, {"kind": "uct"}, _budgets(e), every=True)
