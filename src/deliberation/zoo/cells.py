"""What the zoo measures: a cell for each decider on each of its tasks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.errors import UnknownNameError
from ..runs import Cell
from ..tasks import portable_name
from .registry import list_zoo

if TYPE_CHECKING:
    from ..core.task import Task

_MEASURE = "deliberation.zoo._work:measure"
EPISODES = {"smoke": 16, "quick": 64, "full": 400}
"""Episodes that each of the four versions of a decider plays on each task."""
_SECONDS = {"smoke": 12.0, "quick": 45.0, "full": 240.0}


def plan(
    effort: str,
    *,
    only: Sequence[str] | None = None,
    tasks: "Sequence[str | Task] | None" = None,
) -> list[Cell]:
    """All cells of the zoo, or of some entries; each on the tasks it is meant for, or on `tasks`.

    Tasks are named as in `tasks.make_task`, or given as objects that a name makes again: cells run
    in other processes. An entry that cannot treat a task asked for says why, and the others go on.
    Raises `UnknownNameError`, and `TaskImportError` for an object that has no such name.
    """
    if effort not in EPISODES:
        raise UnknownNameError("effort", effort, EPISODES)
    known = list_zoo()
    for name in only or ():
        if name not in known:
            raise UnknownNameError("entry of the zoo", name, known)
    asked: dict[str, dict[str, Any]] = {portable_name(task): {} for task in tasks or ()}
    return [
        _cell(name, task, options, effort, entry.get("episodes", EPISODES[effort]), bool(asked))
        for name, entry in known.items()
        if only is None or name in only
        for task, options in (asked or entry["tasks"]).items()
    ]


def _cell(
    name: str, task: str, options: dict[str, Any], effort: str, most: int, asked: bool
) -> Cell:
    settings = {
        "entry": name,
        "task": task,
        "options": options,
        "effort": effort,
        "episodes": min(most, EPISODES[effort]),
        "seed": 0,
    }
    if asked:
        settings["asked"] = True
    return Cell(_MEASURE, settings, (), _SECONDS[effort], f"{name} on {task}")
