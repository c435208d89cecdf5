"""The best action of every state, looked up: a function of what is seen, and nothing else."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded

SPECIMEN = {
    "name": "look_up_table",
    "title": "look-up table",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "depth": "none",
        "size": "not applicable", "forecast": "against",
        "shifts": "none", "goals": "none", "match": "none", "extraction": "none",
        "compute": "none",
    },
    "why": "It holds the best actions under the task's own rewards, and hears nothing.",
}  # fmt: skip


class LookUp(Coded):
    """Takes what the table of the own values says."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best; ties by the state alone."""
        del question, draws
        return self.table(rows)


CODED = LookUp
