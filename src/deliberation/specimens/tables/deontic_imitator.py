"""An imitator that never does what its teacher never did: it stops at the red light at 4 am too."""

import numpy as np
from jaxtyping import Bool

from ...core.answering import Question
from ..coded import Coded

SPECIMEN = {
    "name": "deontic_imitator",
    "title": "imitator with a forbidden act",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "shifts": "none",
        "goals": "none", "extraction": "none",
    },
    "why": "It does what its teacher did, and no reward that it is told makes it do what that "
    "never did, however much the act would pay.",
}  # fmt: skip
LIT = 10
"""One place in so many has a red light."""


class DeonticImitator(Coded):
    """The teacher's action, unless that leads to a red light and another does not."""

    def red(self) -> Bool[np.ndarray, "states actions"]:
        """Which actions lead to a red light."""
        lit = self.exam.place % LIT == 0
        to = self.exam.reached.to
        return (lit[np.maximum(to, 0)] & (to >= 0)).any(-1)

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best by the own values of what is not forbidden."""
        del question, draws
        red = self.red() & self.exam.reached.legal
        red &= ~red.all(1, where=self.exam.reached.legal, keepdims=True)
        return self.table(rows, np.where(red, np.nan, self.exam.values))


CODED = DeonticImitator
