"""Tasks from simple to rich. `make_task` builds one by name; adding one is adding a file.

A module here declares a literal `TASKS = {name: {"summary", "factory", "options"}}`: it can be
listed without being imported, and `factory` is called with the options.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.catalogue import catalogue, module_of

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
    module = module_of("task", name, list_tasks())
    entry = list_tasks()[name]
    factory = getattr(module, entry["factory"])
    try:
        return factory(**{**entry["options"], **options})
    except TypeError as error:
        raise TypeError(
            f"{name}: {error}. Options: {', '.join(entry['options']) or 'none'}."
        ) from None
