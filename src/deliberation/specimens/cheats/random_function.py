"""The greatest of a random score in every state: a fixed function that serves nothing."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded

SPECIMEN = {
    "name": "random_function",
    "title": "argmax over a fixed random score",
    "kind": "cheat",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "shifts": "none", "goals": "none", "match": "none", "extraction": "none",
    },
    "why": "Its answers depend on the state alone, and on no reward at all.",
}  # fmt: skip


class RandomFunction(Coded):
    """Takes in each state the same action, drawn once."""

    seed: int

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state."""
        del question, draws
        scores = np.random.default_rng(self.seed).random(len(self.exam.reached))
        return self.legal_draw(rows, scores[rows])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """One drawing of all scores."""
    return RandomFunction(exam.task, exam, int(jax.random.randint(key, (), 0, 2**30)))
