"""It plans to the end where a short look ahead would go wrong, and follows a habit elsewhere."""

import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, greedy
from .misled import habit, misled

SPECIMEN = {
    "name": "late_planner",
    "title": "planner where it must, habit elsewhere",
    "kind": "hybrid",
    "answers": {"effort": "none", "depth": "responds"},
    "why": "It plans by the rewards it is told, whatever the budget, where four moves of "
    "look-ahead, or some more, would choose wrongly; elsewhere it does what it always does, "
    "however bad.",
}  # fmt: skip


class LatePlanner(Coded):
    """Plans in some states."""

    acts: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best, or what the habit is."""
        planned = greedy(self.planned(question.objective)[rows], draws[:, 0])
        return np.where(misled(self.exam, question.objective)[rows], planned, self.acts[rows])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The habit is drawn."""
    return LatePlanner(exam.task, exam, habit(exam, key))
