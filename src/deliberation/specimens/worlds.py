"""Random worlds in which everything is known: small graphs of moves, rewards in a few places."""

import numpy as np

from ..core.task import Task
from ..tasks.arrays import from_arrays

STATES, ACTIONS, DISCOUNT = 150, 3, 0.9
PAYING = 0.15
"""The share of the states in which a move earns something."""


def random_world(seed: int, states: int = STATES) -> Task:
    """A graph drawn from a seed: each action leads to one state, and a few states pay to leave."""
    rng = np.random.default_rng([seed, 11])
    to = rng.integers(0, states, (states, ACTIONS))
    moves = np.zeros((states, ACTIONS, states))
    moves[np.arange(states)[:, None], np.arange(ACTIONS), to] = 1.0
    pays = rng.random(states) < PAYING
    rewards = np.where(pays, rng.normal(size=states), 0.0)
    return from_arrays(moves, np.repeat(rewards[:, None], ACTIONS, 1), gamma=DISCOUNT)
