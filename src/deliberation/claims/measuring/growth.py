"""The same kind of task, larger: what a size is, and the names of the tasks of growing size."""

import functools
from typing import Any

from ...tasks import make_task
from ...tasks.board import MNK
from ...tasks.grids import Gridworld
from ...tasks.names import join_name, split_name
from .about import About, positions_only
from .effort import Effort

MOST_CELLS = 12
"""Boards of more cells take long to solve, those without gravity too long."""


@functools.cache
def grown(name: str) -> tuple[str, ...]:
    """The task and up to two larger ones that can be examined: names, as they grow.

    A room of a gridworld gains 4 rows and columns at a time; a map is stretched, each column as
    often again (starts and exits stay single); a board gains a column. Only the task itself where
    there is no such knob, or where the larger ones cannot be solved.
    """
    task, (base, own) = make_task(name), split_name(name)
    larger = [name]
    for options in filter(None, (_larger(task, step) for step in (1, 2))):
        kind = "mnk" if isinstance(task, MNK) else base
        larger.append(join_name(kind, options if kind == "mnk" else {**own, **options}))
    return tuple(larger)


def _larger(task: Any, step: int) -> dict[str, Any] | None:
    if isinstance(task, MNK):
        options = {"width": task.width + step, "height": task.height, "k": task.k}
        if options["width"] * task.height > MOST_CELLS:
            return None
        return {**options, "gravity": task.gravity}
    if not isinstance(task, Gridworld) or task.view is not None or task.horizon is not None:
        return None
    if task.layout is None:
        return {"size": task.size + 4 * step}
    return {"layout": stretched(task.layout, 1 + step)}


def stretched(layout: str, times: int) -> str:
    """A map with each column so many times; of a start, exit or door only the first is one."""
    return " ".join(
        "".join(mark + (times - 1) * ("." if mark in "SGD" else mark) for mark in row)
        for row in layout.split()
    )


def size_only(it: About, e: Effort) -> str:
    """Why a claim about growing sizes does not apply; nothing where it does."""
    if not it.exact:
        return positions_only(it, e)
    if len(grown(it.name)) < 2:
        return "it has no larger kin that can be solved exactly"
    return ""
