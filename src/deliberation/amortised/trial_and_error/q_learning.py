"""Q-learning: the value of acting best afterwards, learned whatever is done meanwhile.

Watkins and Dayan 1992, "Q-learning"; for two players who take turns, the minimax form of Littman
1994, "Markov games as a framework for multi-agent reinforcement learning".
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.task import Task
from ..training.trained import Trained
from .table_learning import Moment
from .tabular import Tabular, train_table


def train_q_learning(
    task: Task, *, key: Key[Array, ""], settings: Tabular | None = None, **options: Any
) -> Trained:
    """Learn by trial and error in a table; options and errors are those of `train_table`."""
    return train_table("q_learning", _best, task, key=key, settings=settings, **options)


def _best(onward: Float[Array, "batch actions"], moment: Moment) -> Float[Array, " batch"]:
    best = jnp.where(moment.legal, onward, -jnp.inf).max(axis=1)
    return jnp.where(moment.legal.any(axis=1), best, 0.0)
