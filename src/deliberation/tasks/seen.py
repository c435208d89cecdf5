"""A position without a picture, for people: what is observed, as a table of names and values."""

from typing import Any

import jax
import numpy as np

from ..core.task import State, Task

MOST = 24
"""Numbers of an observation that are listed one by one."""


def table_of(task: Task, state: State) -> list[list[str]]:
    """Rows of a name and a value: what the player to move sees, and nothing that is hidden.

    The task's own rows, else the numbers that it observes: all where they are few; where they are
    many and one of them stands alone, which one; else those that are not zero.
    """
    rows = [list(row) for row in task.table_seen(state)]
    return rows or _numbers_of(task.observe(state))


def _numbers_of(seen: Any) -> list[list[str]]:
    leaves = jax.tree_util.tree_leaves_with_path(seen)
    return [
        row
        for path, leaf in leaves
        for row in _listed(f"observation{jax.tree_util.keystr(path)}", np.asarray(leaf))
    ]


def _listed(name: str, values: np.ndarray) -> list[list[str]]:
    flat, places = values.ravel(), list(np.ndindex(values.shape))
    filled = np.flatnonzero(flat)
    if flat.size > 2 and len(filled) == 1 and flat[filled[0]] == 1:
        last = " × ".join(str(n) for n in values.shape)
        return [[name, f"one-hot: {_place(places[filled[0]])} of {last}"]]
    shown = np.arange(flat.size) if flat.size <= MOST else filled[:MOST]
    rows = [[f"{name} {_place(places[i])}".strip(), f"{flat[i]:.4g}"] for i in shown]
    left = 0 if flat.size <= MOST else len(filled) - len(shown)
    if left:
        rows.append([f"{name}, further", f"{left:,} numbers that are not zero"])
    if flat.size > MOST:
        rows.append([f"{name}, the rest", f"{flat.size - len(filled):,} zeros"])
    return rows


def _place(place: tuple[int, ...]) -> str:
    return ", ".join(map(str, place))
