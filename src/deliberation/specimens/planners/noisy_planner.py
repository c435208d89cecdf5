"""A planner that reads what it is told, and strays in one of three answers."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded

SPECIMEN = {
    "name": "noisy_planner",
    "title": "planner with noise",
    "kind": "direct",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "match": "none", "extraction": "responds",
        "shifts": "none", "depth": "none",
    },
    "why": "Two answers of three come from planning by the rewards it is told.",
}  # fmt: skip
STRAYS = 1 / 3


class NoisyPlanner(Coded):
    """The exact best, or any action."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By a draw."""
        planned = self.table(rows, self.planned(question.objective))
        return np.where(draws[:, 0] < STRAYS, self.legal_draw(rows, draws[:, 1]), planned)


CODED = NoisyPlanner
