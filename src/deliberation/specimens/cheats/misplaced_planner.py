"""A planner that thinks about another state than the one that it is asked about."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "misplaced_planner",
    "title": "planner about the wrong state",
    "kind": "cheat",
    "held_out": True,
    "answers": {"effort": "none", "objective": "none", "revaluation": "none", "extraction": "none"},
    "why": "It plans further ahead the more it is offered, by the rewards it is told, and gives "
    "the answer to the state that comes next in the list.",
}


class MisplacedPlanner(Coded):
    """Looks 1 + log2(budget) moves ahead, from elsewhere."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """What is best in the next state, where it is legal here."""
        offered = int(simulations(question, 64).max(initial=1))
        values = self.planned(question.objective, max(offered, 1).bit_length())
        live = np.flatnonzero(~self.exam.reached.terminal)
        other = live[(np.searchsorted(live, rows) + 1) % len(live)]
        found = greedy(values[other], draws[:, 0])
        legal = self.exam.reached.legal[rows]
        return np.where(legal[np.arange(len(rows)), found], found, legal.argmax(1))


CODED = MisplacedPlanner
