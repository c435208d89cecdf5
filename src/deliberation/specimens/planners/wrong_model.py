"""A planner by the rewards it is told, whose picture of the world is wrong in some places."""

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ...core.objective import Objective
from ..coded import Coded, greedy

SPECIMEN = {
    "name": "wrong_model",
    "title": "planner with a wrong model",
    "kind": "direct",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "extraction": "responds",
    },
    "why": "It plans by the rewards it is told, to the end whatever the budget; in a tenth of the "
    "states its actions do not lead where it thinks, so that some plans fail.",
}  # fmt: skip
WRONG = 0.1
SWEEPS = 60
"""Backups of its own planning: rewards weigh little beyond."""


class WrongModel(Coded):
    """Plans as if the actions of some states had changed places."""

    thought: Int[np.ndarray, "states actions"]
    """Whose outcomes each action is thought to have."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best by its own model."""
        return greedy(self.imagined(question.objective)[rows], draws[:, 0])

    def imagined(self, objective: Objective) -> Float[np.ndarray, "states actions"]:
        """What every action is worth where the world is as it thinks."""
        reached = self.exam.reached
        at = np.arange(len(reached))[:, None]
        chances, to = reached.chances[at, self.thought], reached.to[at, self.thought]
        # What is paid is known; only the way is not.
        earned = (chances * reached.rewards(objective)[at, self.thought]).sum(2)
        worth = np.zeros(len(reached))
        values = earned
        for _ in range(SWEEPS):
            values = earned + float(objective.discount) * (chances * worth[to]).sum(2)
            values = np.where(reached.legal, values, np.nan)
            best = np.where(reached.legal, values, -np.inf).max(1)
            worth = np.where(reached.terminal, 0.0, best)
        return values


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Where it is wrong is drawn."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    thought = np.tile(np.arange(exam.values.shape[1]), (len(exam.reached), 1))
    for state in np.flatnonzero(rng.random(len(thought)) < WRONG):
        legal = np.flatnonzero(exam.reached.legal[state])
        thought[state, legal] = np.roll(legal, 1)
    return WrongModel(exam.task, exam, thought)
