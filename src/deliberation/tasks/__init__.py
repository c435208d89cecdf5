"""Tasks from simple to rich. `make_task` builds one by name; adding one is adding a file.

A module here declares a literal `TASKS = {name: {"summary", "factory", "options"}}`: it can be
listed without being imported, and `factory` is called with the options.
"""

import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.catalogue import catalogue
from ..core.errors import UnknownNameError

if TYPE_CHECKING:
    from ..core.task import Task


@functools.cache
def list_tasks() -> dict[str, dict[str, Any]]:
    """Every registered task: {name: {"summary", "factory", "options", "module"}}."""
    found = catalogue(Path(__file__).parent, "TASKS")
    return {
        name: {**entry, "module": f"{__name__}.{module}"}
        for module, entries in found.items()
        for name, entry in entries.items()
    }


def make_task(name: str, **options: Any) -> "Task":
    """Build a task by name; `options` override the registered ones.

    Raises `UnknownNameError` (with the nearest name) and `TypeError` for an unknown option.
    """
    known = list_tasks()
    if name not in known:
        raise UnknownNameError("task", name, known)
    entry = known[name]
    factory = getattr(importlib.import_module(entry["module"]), entry["factory"])
    try:
        return factory(**{**entry["options"], **options})
    except TypeError as error:
        raise TypeError(
            f"{name}: {error}. Options: {', '.join(entry['options']) or 'none'}."
        ) from None
