"""Search improves the data that a network is trained on."""

import numpy as np

from ...runs import Cell, Panel
from ...stats import bootstrap
from ..measuring import cells as shared
from ..measuring.about import climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve
from ..measuring.rows import claimed

SMALLEST = 0.05
CLAIM = {
    "name": "better_data",
    "aspect": "commentary",
    "side": "both",
    "title": "Search improves the training data",
    "statement": "A student of a network that searches comes nearer to the optimum than a student "
    "of the same network answering at once, with the same number of examples.",
    "estimand": "Difference of the two students' shares of the way, paired over training seeds "
    "and positions.",
    "unit": "trainings and positions",
    "smallest": "0.05 of the way",
    "refuted_if": "The difference lies short of 0.05 of the way.",
}

PLANTED = {
    "null": {"search that changes nothing": {"student": (0.6, 0.6)}},
    "effect": {"twice the smallest": {"student": (0.6, 0.7)}},
}
applies = climbed_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Students of an early network, with and without search in its answers."""
    return [*_students(task, e, 0), *_students(task, e, _effort(e))]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The paired difference over training seeds and positions."""
    low = results.low(_students(task, e, 0)[0])
    plain = results.tables(_students(task, e, 0))[:, 0]
    searched = results.tables(_students(task, e, _effort(e)))[:, 0]
    gain = bootstrap(searched - plain, bounds=(low - 1, 1 - low))
    budgets = (0, _effort(e))
    panel = Panel(
        title=task,
        x_label="simulations behind each example",
        y_label="student's way to the optimum",
        series=[curve("student", budgets, [plain, searched], low)],
    )
    sentence = (
        f"On {task} {budgets[1]} simulations behind each example raise the student from "
        f"{plain.mean():.2f} to {searched.mean():.2f} of the way."
    )
    said = {"above": SMALLEST, "unit": "of the way"}
    row = claimed(CLAIM, task, "student", "way gained by search in the data", gain, **said)
    return Shown([row], [panel], sentence)


def _effort(e: Effort) -> int:
    return int(np.max(e.dial))


def _students(task: str, e: Effort, budget: int) -> list[Cell]:
    # Several early networks, so that the finding is not one network's.
    sources, who = [shared.ladder(task, e, i) for i in range(e.ladders)], "network"
    taught = [
        shared.relearn(task, e, sources[seed % e.ladders], 0, budget, seed)
        for seed in range(e.seeds)
    ]
    return [shared.score(task, e, f"{shared.SUBJECTS}:{who}", (0,), policy=cell) for cell in taught]
