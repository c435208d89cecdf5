"""The states that a task begins from, and how probable each is."""

import jax
import numpy as np
from jaxtyping import Float

from ...core.task import State, Task, batch_size

_DRAWN = 64


def first_states(task: Task, start: State | None = None) -> tuple[State, Float[np.ndarray, " n"]]:
    """Those given, equally probable; else those that the task lists; else as many as 64 keys give.

    A state that is given or drawn more than once counts as often.
    """
    listed = task.starts() if start is None else None
    if listed is not None:
        return listed[0], np.asarray(listed[1], float)
    if start is None:
        start = jax.vmap(task.init)(jax.random.split(jax.random.key(0), _DRAWN))
    count = batch_size(start)
    return start, np.full(count, 1 / count)
