"""A look-up table whose answers stray the more, the larger the budget."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, simulations

SPECIMEN = {
    "name": "jitter",
    "title": "jitter that grows with the budget",
    "kind": "cheat",
    "answers": {
        "effort": "against", "objective": "none", "revaluation": "none",
        "size": "not applicable", "forecast": "against", "match": "against", "extraction": "none",
    },
    "why": "Its answers change with the budget, at random.",
}  # fmt: skip


class Jitter(Coded):
    """Strays with a probability of log2(budget) / 16."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The table's action, or any."""
        strays = draws[:, 0] < np.log2(np.maximum(simulations(question, 1), 1)) / 16
        table = self.table(rows)
        return np.where(strays, self.legal_draw(rows, draws[:, 1]), table)


CODED = Jitter
