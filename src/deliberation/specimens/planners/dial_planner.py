"""A planner that looks the further ahead, the more it is offered."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "dial_planner",
    "title": "planner whose depth follows the budget",
    "kind": "direct",
    "answers": {
        "effort": "responds", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "match": "responds", "extraction": "responds",
    },
    "why": "It plans by the rewards it is told, a move further for each doubling of the budget.",
}  # fmt: skip


class DialPlanner(Coded):
    """Looks 1 + log2(budget) moves ahead."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best of so many sweeps; all rows are offered the same."""
        offered = int(simulations(question, 64).max(initial=1))
        sweeps = max(offered, 1).bit_length()
        values = self.planned(question.objective, sweeps)
        return greedy(values[rows], draws[:, 0])


CODED = DialPlanner
