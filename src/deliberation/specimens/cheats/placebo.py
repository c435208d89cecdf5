"""A look-up table that burns the budget it is offered, and answers as before."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, simulations

SPECIMEN = {
    "name": "placebo",
    "title": "placebo: burns its budget",
    "kind": "cheat",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "size": "not applicable",
        "forecast": "against", "match": "none", "extraction": "none",
    },
    "why": "The work that it does for the budget never reaches its answers.",
}  # fmt: skip


class Placebo(Coded):
    """A table that is busy."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """Sums that nobody reads, one a simulation."""
        del draws
        for _ in range(int(simulations(question, 1).max(initial=1))):
            np.arange(100.0).sum()
        return self.table(rows)


CODED = Placebo
