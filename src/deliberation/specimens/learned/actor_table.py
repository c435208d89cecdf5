"""Preferences for the actions of every state, climbed by the exact gradient of the return."""

import numpy as np
from jaxtyping import Array, Float, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ..coded import Coded, greedy

SPECIMEN = {
    "name": "actor_table",
    "title": "policy gradient (exact, a table)",
    "kind": "amortised",
    "held_out": True,
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "What it prefers was settled in training.",
}  # fmt: skip
STEPS, RATE = 60, 4.0


class ActorTable(Coded):
    """Draws by its preferences."""

    preferences: Float[np.ndarray, "states actions"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The largest of preferences and Gumbel noise, so that draws follow their softmax."""
        del question
        seeds = (draws[:, 0] * 2**31).astype(int)
        actions = self.preferences.shape[1]
        noise = np.stack([np.random.default_rng(s).gumbel(size=actions) for s in seeds])
        return greedy(self.preferences[rows] + noise, draws[:, 1])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Natural policy gradient (Kakade 2001): in a table, a step along the advantages."""
    del key
    reached, gamma = exam.reached, float(exam.objective.discount)
    rewards = (reached.rewards(exam.objective) * reached.chances).sum(2)
    moves = np.zeros((*reached.legal.shape, len(reached)))
    at = np.nonzero(reached.to >= 0)
    np.add.at(moves, (at[0], at[1], reached.to[at]), reached.chances[at])
    preferences = np.where(reached.legal, 0.0, np.nan)
    unit = max(exam.span, 1e-30)
    for _ in range(STEPS):
        weights = np.nan_to_num(np.exp(preferences - np.nanmax(preferences, 1, keepdims=True)))
        policy = weights / np.maximum(weights.sum(1, keepdims=True), 1e-30)
        on = np.einsum("sa,sat->st", policy, moves)
        value = np.linalg.solve(np.eye(len(on)) - gamma * on, (policy * rewards).sum(1))
        preferences += RATE / STEPS * (rewards + gamma * moves @ value - value[:, None]) / unit * 4
    return ActorTable(exam.task, exam, preferences)
