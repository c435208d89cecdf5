"""How much search a network is worth."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Reference
from ...stats import judge, slope
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean
from ..measuring.rows import claimed

CLAIM = {
    "name": "search_equivalent",
    "aspect": "scalability",
    "side": "amortised",
    "title": "What a network is worth in simulations",
    "statement": "A network fitted to a search's answers is worth at least two simulations of "
    "search and no more than its teacher's budget: the student approaches its teacher.",
    "estimand": "The budget at which search alone comes as near to the optimum as the network "
    "does, read off the isotonic curve in log2 of the budget.",
    "unit": "trainings and positions",
    "smallest": "from 2 simulations to the teacher's budget",
    "refuted_if": "The budget lies below 2 (a network that learned next to nothing) or above the "
    "teacher's.",
}

PLANTED = {
    "null": {
        "a network that learned nothing": {"network": (0.0, 0.0)},
        "a search that ignores its budget": {"search": (0.5, 0.0), "network": (0.5, 0.0)},
    },
    "effect": {"worth 32 simulations": {"search": (0.3, 0.05), "network": (0.55, 0.0)}},
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search from the rules over its budgets, and the networks fitted to the most data."""
    return students.search_and_best(task, e)


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The crossing of search's score-against-budget curve with the network's score."""
    cell = shared.planner_score(task, e)
    low, search = results.low(cell), results.table(cell)
    worth = students.equivalent(task, e, results)
    score = mean(students.best_scores(task, e, results), low)
    # Where more search is not known to score more, its scale of budgets measures nothing.
    rises = judge(slope(np.log2(e.budgets), search, bounds=(low, 1)), above=0) == "supported"
    how: dict[str, Any] = {
        "unit": "simulations",
        "note": "" if rises else "more search scores no more here",
    }
    quantity = "worth in simulations"
    row = claimed(CLAIM, task, "network", quantity, worth, within=(2, e.teacher), log=True, **how)
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[curve("search", e.budgets, list(search), low)],
        references=[Reference(label="network alone", y=score.estimate)],
    )
    sentence = (
        f"On {task} the network alone ({score.estimate:.2f} of the way) is worth "
        f"{students.reached(worth, e.budgets)} simulations."
    )
    return Shown([row], [panel], sentence)
