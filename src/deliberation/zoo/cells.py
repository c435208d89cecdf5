"""What the zoo measures: a cell for each decider on each of its tasks."""

from collections.abc import Sequence
from typing import Any

from ..core.errors import UnknownNameError
from ..runs import Cell
from .registry import list_zoo

_MEASURE = "deliberation.zoo._work:measure"
EPISODES = {"smoke": 16, "quick": 64, "full": 400}
"""Episodes that each of the four versions of a decider plays on each task."""
_SECONDS = {"smoke": 12.0, "quick": 45.0, "full": 240.0}


def plan(effort: str, *, only: Sequence[str] | None = None) -> list[Cell]:
    """All cells of the zoo, or of some entries. Raises `UnknownNameError`."""
    if effort not in EPISODES:
        raise UnknownNameError("effort", effort, EPISODES)
    known = list_zoo()
    for name in only or ():
        if name not in known:
            raise UnknownNameError("entry of the zoo", name, known)
    return [
        _cell(name, task, options, effort, entry.get("episodes", EPISODES[effort]))
        for name, entry in known.items()
        if only is None or name in only
        for task, options in entry["tasks"].items()
    ]


def _cell(name: str, task: str, options: dict[str, Any], effort: str, most: int) -> Cell:
    settings = {
        "entry": name,
        "task": task,
        "options": options,
        "effort": effort,
        "episodes": min(most, EPISODES[effort]),
        "seed": 0,
    }
    return Cell(_MEASURE, settings, (), _SECONDS[effort], f"{name} on {task}")
