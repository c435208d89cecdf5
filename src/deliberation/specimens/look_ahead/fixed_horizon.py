"""A table learned by trial and error for the rewards of the next few moves, and no later ones."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ..coded import greedy
from .puzzle_table import Acts

SPECIMEN = {
    "name": "fixed_horizon",
    "title": "fixed-horizon Q-learning",
    "kind": "amortised",
    "held_out": True,
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "depth": "against",
        "extraction": "none",
    },
    "why": "What it learned counts the rewards of four moves: it is right where these settle what "
    "is best, and at a loss beyond; it looks no move ahead.",
}  # fmt: skip
HORIZON, VISITS, RATE = 4, 40, 0.3
"""The moves whose rewards count; visits of every state and action; the rate of learning."""


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Fixed-horizon temporal differences (De Asis et al. 2020): a table for each number of moves
    that are left, taught by the one before, from steps that are drawn.
    """
    reached, rng = exam.reached, np.random.default_rng(jax.random.key_data(key).tolist())
    states, actions = reached.legal.shape
    rewards, gamma = reached.rewards(exam.objective), float(exam.objective.discount)
    tables = np.zeros((HORIZON + 1, states, actions))
    pairs = np.argwhere(reached.legal)
    for row, action in pairs[rng.integers(0, len(pairs), VISITS * len(pairs))]:
        way = rng.choice(reached.chances.shape[2], p=reached.chances[row, action])
        after = reached.to[row, action, way]
        onward = np.where(reached.legal[after], tables[:-1, after], -np.inf).max(1)
        onward = np.where(reached.terminal[after], 0.0, onward)
        goal = rewards[row, action, way] + gamma * onward
        tables[1:, row, action] += RATE * (goal - tables[1:, row, action])
    values = np.where(reached.legal, tables[-1], np.nan)
    return Acts(exam.task, exam, greedy(values, np.zeros(states)))
