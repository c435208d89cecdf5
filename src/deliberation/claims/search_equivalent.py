"""Item 25: how much search a network is worth."""

import numpy as np

from ..runs import Cell, Panel, Reference
from ..stats import judge, slope
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, curve, mean, row

CLAIM = {
    "name": "search_equivalent",
    "item": 25,
    "title": "What a network is worth in simulations",
    "statement": "A network fitted to a search's answers is worth more than one simulation of "
    "search and less than its teacher's budget: the student approaches its teacher.",
    "refuted_if": "The interval of the budget at which search alone scores what the network "
    "scores lies below 1 or above the teacher's budget.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Unguided search over its budgets, and the networks fitted to the most data."""
    return _students.search_and_best(task, e)


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The crossing of search's score-against-budget curve with the network's score."""
    worth = _students.equivalent(task, e, results)
    score = mean(_students.best_scores(task, e, results))
    search = results.table(_cells.uct_score(task, e))
    # Where more search is not known to score more, its scale of budgets measures nothing.
    rises = judge(slope(np.log2(e.budgets), search, bounds=(0, 1)), above=0) == "supported"
    verdict = judge(worth, within=(1, e.teacher)) if rises else "inconclusive"
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="value kept",
        x_scale="log2",
        series=[curve("search", e.budgets, list(search))],
        references=[Reference(label="network alone", y=score.estimate)],
    )
    sentence = (
        f"On {task} the network alone ({score.estimate:.2f}) is worth "
        f"{_students.reached(worth, e.budgets)} simulations."
    )
    rows = [row(CLAIM, task, "network", "worth in simulations", worth, verdict)]
    return Shown(rows, [panel], sentence)
