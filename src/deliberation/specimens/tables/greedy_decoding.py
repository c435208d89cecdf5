"""The likeliest action of a stochastic policy that was learned: an argmax, and no search."""

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, greedy

SPECIMEN = {
    "name": "greedy_decoding",
    "title": "greedy decoding",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "shifts": "none",
        "goals": "none", "extraction": "none",
    },
    "why": "The scores whose greatest it takes were settled beforehand, as well everywhere.",
}  # fmt: skip
NOISE = 0.05
"""What the learned scores are off by, in parts of the greatest difference that a choice makes."""


class GreedyDecoding(Coded):
    """Takes the greatest of its scores."""

    scores: Float[np.ndarray, "states actions"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state alone."""
        del question, draws
        return greedy(self.scores[rows], np.zeros(len(rows)))


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Scores near the values, as learning leaves them."""
    noise = np.asarray(jax.random.normal(key, exam.values.shape), float)
    return GreedyDecoding(exam.task, exam, exam.values + NOISE * exam.span * noise)
