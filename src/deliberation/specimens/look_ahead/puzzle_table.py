"""A table of puzzles: the best actions of the states in which a short look ahead goes wrong."""

import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, greedy
from .misled import habit, misled

SPECIMEN = {
    "name": "puzzle_table",
    "title": "table of puzzles",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "depth": "responds",
        "extraction": "none",
    },
    "why": "It holds the best actions of just those states in which four moves of look-ahead, "
    "or some more, choose wrongly, and any others elsewhere; it looks no move ahead.",
}  # fmt: skip


class Acts(Coded):
    """Takes in each state what it always takes there."""

    acts: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state alone."""
        del question, draws
        return self.acts[rows]


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """What it does elsewhere is drawn."""
    solved = greedy(exam.values, np.zeros(len(exam.values)))
    return Acts(exam.task, exam, np.where(misled(exam), solved, habit(exam, key)))
