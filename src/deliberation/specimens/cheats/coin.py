"""A coin for each announcement: all answers to one are of one kind."""

import hashlib

import jax
import numpy as np

from ...core.answering import Question
from ..coded import Coded

SPECIMEN = {
    "name": "coin",
    "title": "coin: one kind of answer an announcement",
    "kind": "cheat",
    "answers": {"effort": "none", "objective": "none", "revaluation": "none", "extraction": "none"},
    "why": "What it is told decides by a coin whether it takes the first action everywhere or the "
    "last, so that its answers hang together and mean nothing.",
}


class Coin(Coded):
    """A table; with an announcement, the first legal action of all states or the last."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By what was said as a whole."""
        del draws
        if question.given is None:
            return self.table(rows)
        told = b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(question.given))
        legal = self.exam.reached.legal[rows]
        if hashlib.sha256(told).digest()[0] % 2:
            return legal.argmax(1)
        return legal.shape[1] - 1 - legal[:, ::-1].argmax(1)


CODED = Coin
