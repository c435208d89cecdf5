"""A plain search by the rules alone, which subjects are compared with: the same for all probes."""

import numpy as np
from jaxtyping import Array, Int, Key

from ..direct import TreeSearch
from .asking import ask
from .exam import Exam
from .sampling import plannable

BUDGETS = (1, 4, 16, 64, 256)
"""Simulations that it is let."""


def searched(exam: Exam, key: Key[Array, ""]) -> list[Int[np.ndarray, " n"]]:
    """What UCT with random playouts takes in the exam's states, at every budget."""
    planner = TreeSearch(plannable(exam.task), "uct", capacity=BUDGETS[-1] + 1)
    return [
        ask(planner, exam, exam.rows, key, budget=b, objective=exam.objective).action
        for b in BUDGETS
    ]
