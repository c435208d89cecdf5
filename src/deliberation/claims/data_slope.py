"""Item 25, the training side: what a doubling of the data buys a network."""

import numpy as np

from ..runs import Cell, Reference
from ..stats import judge, slope
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, mean, row

CLAIM = {
    "name": "data_slope",
    "item": 25,
    "title": "Scaling with training data",
    "statement": "A network scores more with every doubling of the teacher's answers that it is "
    "fitted to: it approximates the teacher's answers better.",
    "refuted_if": "The slope of the network's score in log2 of the examples lies at or below 0.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks fitted to ever more answers of the same search."""
    return [_cells.random_score(task, e), _cells.uct_score(task, e), *_students.all_scored(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The slope over training seeds and positions, paired."""
    by_size = _students.by_size(task, e, results)
    table = np.stack(by_size, axis=1)
    steep = slope(np.log2(e.lessons), table, bounds=(0, 1))
    at = _teacher_budget(e)
    teacher = mean(results.table(_cells.uct_score(task, e))[at])
    chance = mean(results.table(_cells.random_score(task, e))[0])
    references = [
        Reference(label=f"search ({e.budgets[at]})", y=teacher.estimate),
        Reference(label="random", y=chance.estimate),
    ]
    panel = _students.data_panel(task, e, by_size, references)
    sentence = (
        f"On {task} a doubling of the data adds {100 * steep.estimate:.1f} points, from "
        f"{by_size[0].mean():.2f} with {e.lessons[0]} examples to {by_size[-1].mean():.2f} with "
        f"{e.lessons[-1]:,}; search scores {teacher.estimate:.2f} with none."
    )
    quantity = "score per doubling of data"
    return Shown(
        [row(CLAIM, task, "network", quantity, steep, judge(steep, above=0))], [panel], sentence
    )


def _teacher_budget(e: Effort) -> int:
    """The measured budget nearest to the teacher's."""
    return int(np.argmin(np.abs(np.log2(e.budgets) - np.log2(e.teacher))))
