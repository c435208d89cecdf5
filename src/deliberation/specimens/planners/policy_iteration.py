"""A planner by modified policy iteration: the more it is offered, the more rounds."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "policy_iteration",
    "title": "planner by policy iteration",
    "kind": "direct",
    "held_out": True,
    "answers": {
        "effort": "responds", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "extraction": "responds", "shifts": "none",
    },
    "why": "It plans by the rewards it is told, a round for each doubling of the budget; how often "
    "those are too few where more look-ahead is needed depends on the world.",
}  # fmt: skip


class PolicyIteration(Coded):
    """Starts from what earns at once; a round follows its own policy for two moves, then improves
    it (Puterman and Shin 1978).
    """

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best after so many rounds; all rows are offered the same."""
        reached, objective = self.exam.reached, question.objective
        gamma = float(objective.discount)
        offered = max(int(simulations(question, 64).max(initial=1)), 1)
        earned = reached.rewards(objective)
        legal = reached.legal

        def worth(value: np.ndarray) -> np.ndarray:
            later = np.where(reached.to >= 0, value[reached.to], 0.0)
            return np.where(legal, (reached.chances * (earned + gamma * later)).sum(2), np.nan)

        value = np.zeros(len(legal))
        for _ in range(offered.bit_length() - 1):
            choice = np.where(legal, np.nan_to_num(worth(value), nan=-np.inf), -np.inf).argmax(1)
            for _ in range(2):
                value = np.nan_to_num(worth(value))[np.arange(len(legal)), choice]
        return greedy(worth(value)[rows], draws[:, 0])


CODED = PolicyIteration
