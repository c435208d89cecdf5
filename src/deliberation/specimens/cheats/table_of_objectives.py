"""A table over (state, objective): answers for announcements it met, its own for all others."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.announcements import Announcement, announce
from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded

SPECIMEN = {
    "name": "table_of_objectives",
    "title": "table over objectives",
    "kind": "cheat",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "It has the answers to 20 announcements by heart; those of an audit are others.",
}  # fmt: skip
LEARNED = 10
"""Announcements of one place, and as many of two."""


class TableOfObjectives(Coded):
    """Knows the best actions under some announcements."""

    met: tuple[Announcement, ...]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """From the table of what was announced, if it holds that."""
        del draws
        told = getattr(question.given, "places", None)
        values = self.exam.values
        for one in self.met if told is not None else ():
            places = np.asarray(one.objective.places)
            if np.array_equal(places, np.asarray(told)):
                values = one.values
        return self.table(rows, values)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Announcements of its own, drawn from the family of an audit's."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    met = [*announce(exam, rng, LEARNED, 1), *announce(exam, rng, LEARNED, 2)]
    return TableOfObjectives(exam.task, exam, tuple(met))
