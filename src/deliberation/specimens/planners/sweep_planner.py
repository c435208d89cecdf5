"""A planner by dynamic programming: a sweep over all states for every simulation it is offered."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "sweep_planner",
    "title": "planner by sweeps",
    "kind": "direct",
    "answers": {
        "effort": "responds", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "size": "responds", "match": "responds", "extraction": "responds",
        "shifts": "none", "depth": "none",
    },
    "why": "It plans by the rewards it is told, a move further for each simulation: where moves "
    "are more, more of them make up for it.",
}  # fmt: skip
MOST = 4096


class SweepPlanner(Coded):
    """Looks as many moves ahead as it is offered simulations."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best of so many sweeps; all rows are offered the same."""
        offered = min(int(simulations(question, 64).max(initial=1)), MOST)
        values = self.planned(question.objective, max(offered, 1))
        return greedy(values[rows], draws[:, 0])


CODED = SweepPlanner
