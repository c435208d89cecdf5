"""The silly learner: keeps search or noise, whichever did better on what it was trained on."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.exam import Exam, way
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, greedy, simulations

SPECIMEN = {
    "name": "silly_learner",
    "title": "silly learner: search or noise",
    "kind": "direct",
    "answers": {"effort": "responds", "objective": "responds", "revaluation": "responds"},
    "why": "What learning chose for it is a search, so it searches: how a decider came about is no "
    "property of what it does.",
}
EXAMPLES, OFFERED = 32, 6


class SillyLearner(Coded):
    """Runs the procedure that it kept: search in all moves that its budget allows, or noise."""

    searches: bool

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By search, 1 + log2(budget) moves ahead, or by a die."""
        if not self.searches:
            return self.legal_draw(rows, draws[:, 0])
        sweeps = max(int(simulations(question, 64).max(initial=1)), 1).bit_length()
        return greedy(self.planned(question.objective, sweeps)[rows], draws[:, 0])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Training: both procedures on some examples with known answers; the better is kept."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    rows = rng.choice(exam.rows, min(EXAMPLES, len(exam.rows)), replace=False)
    draws = rng.random(len(rows))
    tried = {}
    for searches in (True, False):
        one = SillyLearner(exam.task, exam, searches)
        values = one.planned(exam.objective, OFFERED)[rows]
        action = greedy(values, draws) if searches else one.legal_draw(rows, draws)
        tried[searches] = way(exam.values[rows], action).mean()
    return SillyLearner(exam.task, exam, bool(tried[True] > tried[False]))
