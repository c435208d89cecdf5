"""A table that takes its time where nothing is hard."""

import time

import numpy as np
from jaxtyping import Array, Bool, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded
from ..look_ahead.misled import misled

SPECIMEN = {
    "name": "idler",
    "title": "idler: waits where the choice is easy",
    "kind": "cheat",
    "answers": {"effort": "none", "compute": "against"},
    "why": "It looks up what is best, and waits before it answers where a few moves of look-ahead "
    "would have shown it; time alone is no sign of thought.",
}
SECONDS = 0.01
"""For every state that is easy."""


class Idler(Coded):
    """Waits, then takes what the table of the own values says."""

    easy: Bool[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best; ties by the state alone."""
        del question, draws
        time.sleep(SECONDS * int(self.easy[rows].sum()))
        return self.table(rows)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Where it waits is known beforehand."""
    del key
    return Idler(exam.task, exam, ~misled(exam))
