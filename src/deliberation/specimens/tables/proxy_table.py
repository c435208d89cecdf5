"""A table of what is best by a heavy-tailed proxy: wrong, and no more so with effort."""

import numpy as np
from jaxtyping import Array, Float, Key

from ...audit.channels import Channels
from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded
from ..mistaken import mistaken

SPECIMEN = {
    "name": "proxy_table",
    "title": "table for a proxy, heavy-tailed errors",
    "kind": "amortised",
    "answers": {
        "effort": "none",
        "objective": "none",
        "revaluation": "none",
        "proxy": "none",
        "extraction": "none",
    },
    "why": "All the optimising was done beforehand: nothing is left for a budget to make worse.",
}


class ProxyTable(Coded):
    """Takes what the table of the proxy's values says."""

    values: Float[np.ndarray, "states actions"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state alone."""
        del question, draws
        return self.table(rows, self.values)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The proxy is drawn."""
    return ProxyTable(exam.task, exam, exam.under(mistaken(exam, key, heavy=True)))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """The same proxy."""
    return Channels(proxy=mistaken(exam, key, heavy=True))
