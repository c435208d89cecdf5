"""Item 40: search improves the data that a network is trained on."""

import numpy as np

from ..runs import Cell, Panel
from ..stats import bootstrap, judge
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, curve, row

CLAIM = {
    "name": "better_data",
    "item": 40,
    "title": "Search improves the training data",
    "statement": "A student of a network that searches scores more than a student of the same "
    "network answering at once, with the same number of examples.",
    "refuted_if": "The paired difference between the two students' scores lies at or below 0.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Students of an early network, with and without search in its answers."""
    return [*_students(task, e, 0), *_students(task, e, _effort(e))]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The paired difference over training seeds and positions."""
    plain = results.tables(_students(task, e, 0))[:, 0]
    searched = results.tables(_students(task, e, _effort(e)))[:, 0]
    gain = bootstrap(searched - plain, bounds=(-1, 1))
    budgets = (0, _effort(e))
    panel = Panel(
        title=task,
        x_label="simulations behind each example",
        y_label="value kept by the student",
        series=[curve("student", budgets, [plain, searched])],
    )
    sentence = (
        f"On {task} {budgets[1]} simulations behind each example raise the student from "
        f"{plain.mean():.2f} to {searched.mean():.2f}."
    )
    quantity = "score gained by search in the data"
    rows = [row(CLAIM, task, "student", quantity, gain, judge(gain, above=0))]
    return Shown(rows, [panel], sentence)


def _effort(e: Effort) -> int:
    return int(np.max(e.dial))


def _students(task: str, e: Effort, budget: int) -> list[Cell]:
    # Several early networks, so that the finding is not one network's.
    sources, kind = [_cells.ladder(task, e, i) for i in range(e.ladders)], {"kind": "network"}
    taught = [
        _cells.relearn(task, e, sources[seed % e.ladders], 0, budget, seed)
        for seed in range(e.seeds)
    ]
    return [_cells.score(task, e, kind, (0,), policy=cell) for cell in taught]
