"""The states that a task begins from, and how probable each is."""

import jax
import numpy as np
from jaxtyping import Array, Float

from ...core.errors import BatchMismatchError
from ...core.host import on_host
from ...core.task import State, Task, batch_size, check_batch

_DRAWN = 64


def first_states(task: Task, start: State | None = None) -> tuple[State, Float[np.ndarray, " n"]]:
    """Those given, equally probable; else those that the task lists; else as many as 64 keys give.

    A state that is given or drawn more than once counts as often; a listed one of probability 0 is
    left out, for nothing is known of where it leads. Raises `ForeignStateError`,
    `NoLegalActionError` and `BatchMismatchError` for states given that are none of the task's.
    """
    listed = task.starts() if start is None else None
    if listed is not None:
        return possible(*listed)
    if start is None:
        start = jax.vmap(task.init)(jax.random.split(jax.random.key(0), _DRAWN))
    else:
        check_batch(task, start)
    count = batch_size(start)
    if not count:
        raise BatchMismatchError("`start` holds no state: give at least one, on a leading axis.")
    return start, np.full(count, 1 / count)


def possible(
    states: State, chances: Float[Array, " n"] | Float[np.ndarray, " n"]
) -> tuple[State, Float[np.ndarray, " m"]]:
    """The states that can be at all, and how probable each is."""
    odds = np.asarray(chances, float)
    can_be = odds > 0
    if can_be.all():
        return states, odds
    return jax.tree.map(lambda x: x[can_be], on_host(states)), odds[can_be]
