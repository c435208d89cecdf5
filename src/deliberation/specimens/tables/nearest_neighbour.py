"""The best actions of half of the states; elsewhere those of the one that looks most alike."""

import jax
import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded

SPECIMEN = {
    "name": "nearest_neighbour",
    "title": "nearest neighbour, half of the states",
    "kind": "amortised",
    "held_out": True,
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "extraction": "none",
        "forecast": "against",
    },
    "why": "It compares what is seen with what it remembers, and hears nothing else.",
}  # fmt: skip


class NearestNeighbour(Coded):
    """Answers as the remembered state does that every state is likened to."""

    likened: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """What was best there, or, where that is not legal, the first action that is."""
        del question, draws
        found = self.table(self.likened[rows])
        legal = self.exam.reached.legal[rows]
        return np.where(legal[np.arange(len(rows)), found], found, legal.argmax(1))


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Which half is drawn; of several that look as alike, the first."""
    live = np.flatnonzero(~exam.reached.terminal)
    seen = np.asarray(jax.vmap(exam.task.observe)(exam.states(np.arange(len(exam.reached)))))
    seen = seen.reshape(len(seen), -1).astype(float)
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    kept = rng.permutation(live)[: max(len(live) // 2, 1)]
    apart = ((seen[:, None] - seen[kept]) ** 2).sum(2)
    return NearestNeighbour(exam.task, exam, kept[apart.argmin(1)])
