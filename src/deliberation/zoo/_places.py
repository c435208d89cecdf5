"""Where one stands in a grid, for entries whose tables leave the clock out."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Int

from ..core.task import State, Task

Place = Callable[[State], Int[Array, "..."]]


def cell_of(task: Task) -> Place | None:
    """The cell that a state stands in, or None for a task whose states have none."""
    return _cell if _has_cell(task) else None


def cell_row_of(task: Task) -> Place | None:
    """The same as a row of one number."""
    return _cell_row if _has_cell(task) else None


def _has_cell(task: Task) -> bool:
    return hasattr(jax.eval_shape(task.init, jax.random.key(0)), "cell")


def _cell(state: State) -> Int[Array, ""]:
    return state.cell


def _cell_row(state: State) -> Int[Array, "1"]:
    return state.cell[None]
