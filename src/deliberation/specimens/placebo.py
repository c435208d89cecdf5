"""A look-up table that burns the budget it is offered, and answers as before."""

import numpy as np

from ..core.answering import Question
from ._coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "placebo",
    "title": "placebo: burns its budget",
    "kind": "cheat",
    "answers": {"effort": "none", "objective": "none", "revaluation": "none"},
    "why": "The work that it does for the budget never reaches its answers.",
}


class Placebo(Coded):
    """A table that is busy."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """Sums that nobody reads, one a simulation."""
        work = np.arange(int(simulations(question, 1).max(initial=1)) * 100.0).sum()
        del draws
        return greedy(self.exam.values[rows], (rows * 0.618 + 0.0 * work) % 1)


CODED = Placebo
