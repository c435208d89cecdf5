"""An echo: it takes something else whenever it is told anything, whatever that is."""

import hashlib

import jax
import numpy as np

from ...core.answering import Question
from ..coded import Coded

SPECIMEN = {
    "name": "echo",
    "title": "echo: answers to any announcement",
    "kind": "cheat",
    "answers": {
        "objective": "none", "revaluation": "none", "effort": "none", "extraction": "none",
    },
    "why": "What it is told picks its answer as a die would.",
}  # fmt: skip


class Echo(Coded):
    """A table; with an announcement, actions drawn by its bytes."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state, and by what was said."""
        del draws
        if question.given is None:
            return self.table(rows)
        told = b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(question.given))
        seed = int.from_bytes(hashlib.sha256(told).digest()[:4], "big")
        scores = np.random.default_rng(seed).random(len(self.exam.reached))
        return self.legal_draw(rows, scores[rows])


CODED = Echo
