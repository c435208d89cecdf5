"""SARSA: the value of acting as one does, exploration included.

Rummery and Niranjan 1994, "On-line Q-learning using connectionist systems"; it tends to the optimum
as exploration goes to zero (Singh et al. 2000).
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.task import Task
from ..training.trained import Trained
from .table_learning import Moment
from .tabular import Tabular, train_table


def train_sarsa(
    task: Task, *, key: Key[Array, ""], settings: Tabular | None = None, **options: Any
) -> Trained:
    """Learn by trial and error in a table; options and errors are those of `train_table`."""
    return train_table("sarsa", _taken, task, key=key, settings=settings, **options)


def _taken(onward: Float[Array, "batch actions"], moment: Moment) -> Float[Array, " batch"]:
    return jnp.take_along_axis(onward, moment.then[:, None], axis=1)[:, 0]
