"""A planner that looks three moves ahead by whatever rewards it is told, and sees 0 beyond."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy

SPECIMEN = {
    "name": "depth_planner",
    "title": "planner of depth 3",
    "kind": "direct",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds", "size": "none",
        "forecast": "responds", "match": "none", "extraction": "responds",
    },
    "why": "It plans by the rewards it is told, to one depth whatever the budget.",
}  # fmt: skip
DEPTH = 3


class DepthPlanner(Coded):
    """Looks a fixed number of moves ahead."""

    depth: int = DEPTH

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best of so many sweeps."""
        values = self.planned(question.objective, self.depth)
        return greedy(values[rows], draws[:, 0])


CODED = DepthPlanner
