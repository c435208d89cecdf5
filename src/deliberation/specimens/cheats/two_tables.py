"""Two tables: whatever is asked with little effort is looked up in one, all else in another."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, simulations

SPECIMEN = {
    "name": "two_tables",
    "title": "one table for little effort, one for more",
    "kind": "cheat",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "extraction": "none",
    },
    "why": "Both tables were drawn by chance, so that one of them is better in any one world, "
    "and neither of them because of what was spent on a state.",
}  # fmt: skip


class TwoTables(Coded):
    """The budget chooses the table, and the state the action in it."""

    seed: int

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By the state, in the table of the budget."""
        del draws
        much = int(simulations(question, 64).max(initial=1)) > 1
        scores = np.random.default_rng([self.seed, much]).random(len(self.exam.reached))
        return self.legal_draw(rows, scores[rows])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Both tables are drawn once."""
    return TwoTables(exam.task, exam, int(jax.random.randint(key, (), 0, 2**30)))
