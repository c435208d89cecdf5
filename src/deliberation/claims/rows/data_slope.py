"""Scaling by better approximation: what a doubling of the training data buys a network."""

import numpy as np

from ...runs import Cell, Reference
from ...stats import slope
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import About, positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed

SMALLEST = 0.015
CLAIM = {
    "name": "data_slope",
    "aspect": "scalability",
    "side": "amortised",
    "title": "Scaling with training data",
    "statement": "A network still comes nearer to the optimum with the last doublings of a "
    "search's answers that it is fitted to, in positions that it was not taught on.",
    "estimand": "Slope of the share of the way from random play to the optimum in log2 of the "
    "different examples, over the three largest numbers tried, over trainings and contested "
    "positions kept apart from training.",
    "unit": "trainings and positions",
    "smallest": "0.015 of the way a doubling",
    "refuted_if": "The slope lies short of 0.015 of the way a doubling, as for a network that does "
    "not learn.",
}

PLANTED = {
    "null": {
        "a network that does not learn": {"network": (0.3, 0.0)},
        "a network that is perfect at once": {"network": (1.0, 0.0)},
    },
    "effect": {"twice the smallest": {"network": (0.2, 0.03)}},
}


def applies(it: About, e: Effort) -> str:
    """Where values of positions are known and there are enough to be taught."""
    return positions_only(it, e) or students.data_only(it, e)


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks fitted to ever more answers of the same search."""
    return [shared.planner_score(task, e), *students.all_scored(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The slope over training seeds and positions, paired."""
    by_size, low = students.by_size(task, e, results), results.low(shared.planner_score(task, e))
    table = np.stack(by_size, axis=1)
    tried = students.sizes(task, e)
    steep = slope(np.log2(tried[-3:]), table[:, -3:], bounds=(low, 1))
    at = _teacher_budget(e)
    teacher = mean(results.table(shared.planner_score(task, e))[at], low)
    references = [
        Reference(label=f"search ({e.budgets[at]})", y=teacher.estimate),
        Reference(label="random", y=0.0),
    ]
    panel = students.data_panel(task, e, by_size, references, low)
    sentence = (
        f"On {task} one of the last doublings of the data takes the network "
        f"{100 * steep.estimate:.1f} % of the way; all of them take it from "
        f"{by_size[0].mean():.2f} with {tried[0]} examples to {by_size[-1].mean():.2f} with "
        f"{tried[-1]:,}; search reaches {teacher.estimate:.2f} "
        "with none."
    )
    row = claimed(
        CLAIM, task, "network", "way gained by one of the last doublings of data", steep,
        above=SMALLEST, unit="of the way a doubling",
    )  # fmt: skip
    return Shown([row], [panel], sentence)


def _teacher_budget(e: Effort) -> int:
    """The measured budget nearest to the teacher's."""
    return int(np.argmin(np.abs(np.log2(e.budgets) - np.log2(e.teacher))))
