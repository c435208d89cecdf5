"""A planner that keeps its answers: asked the same again, it looks up what it found."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded

SPECIMEN = {
    "name": "caching_planner",
    "title": "planner with a cache",
    "kind": "hybrid",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "extraction": "responds",
        "shifts": "none", "depth": "none",
    },
    "why": "What was never asked is planned by the rewards it is told, and only what was asked "
    "before is looked up, under the same rewards: from its answers it is a planner.",
}  # fmt: skip


class CachingPlanner(Coded):
    """Plans once for every objective, and then answers from what it kept."""

    kept: dict[bytes, np.ndarray] = eqx.field(static=True)

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best of all sweeps, from the cache where it is there."""
        del draws
        parts = [np.asarray(x).tobytes() for x in jax.tree.leaves(question.objective)]
        name = b"|".join([repr(jax.tree.structure(question.objective)).encode(), *parts])
        if name not in self.kept:
            self.kept[name] = self.planned(question.objective)
        return self.table(rows, self.kept[name])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """With nothing kept yet."""
    del key
    return CachingPlanner(exam.task, exam, {})
