"""Tasks from simple to rich. `make_task` builds one by name; adding one is adding a file.

A module here declares a literal `TASKS = {name: {"summary", "factory", "options"}}`: it can be
listed without being imported, and `factory` is called with the options. Where actions are
continuous the entry also says `"continuous": True`, so that who lists tasks need not make them.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lazy_loader

from ..core.catalogue import catalogue, module_of
from ..core.errors import TaskImportError
from .names import FORM, check_name, derived_name, is_own, join_name, make_own, split_name
from .options import make_registered
from .schemes import make_foreign, scheme_of

if TYPE_CHECKING:
    from ..core.task import Task
    from .arrays import ArrayTask as ArrayTask
    from .arrays import from_arrays as from_arrays

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"arrays": ["ArrayTask", "from_arrays"]}
)


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

    `name` is a registered one (`list_tasks`), or `package.module:factory`: the module is imported,
    from the current folder too, and the class or function called. `gym:CartPole-v1` and the like
    are worlds of other libraries (see `schemes`). Options may also stand in the name, as in
    `gridworld(size=5)`, `gridworld:size=5` or `gym:FrozenLake-v1?is_slippery=false`.

    Raises `UnknownNameError` (with the nearest name), `TaskOptionError` for an option that a
    registered task does not have or cannot take, and for others what `names.make_own` raises.
    """
    base, written = split_name(name)
    options = {**written, **options}
    if scheme_of(base) is not None:
        return make_foreign(base, options)
    if is_own(base):
        return make_own(base, options)
    known = list_tasks()
    entry = known[check_name(base, known)]
    factory = getattr(module_of("task", base, known), entry["factory"])
    return make_registered(base, factory, entry["options"], options)


def name_of_task(task: "Task") -> tuple[str, dict[str, Any]] | None:
    """The name and options from which `make_task` makes this very task again, if there are any.

    A registered name where the task is as registered, else `package.module:Class` and the fields
    that differ from their defaults.
    """
    import equinox as eqx

    for name in registered_names(type(task)):
        if bool(eqx.tree_equal(make_task(name), task)):
            return name, {}
    return derived_name(task)


def registered_names(kind: type) -> list[str]:
    """The names under which a class of tasks is registered, each with options of its own."""
    place = (kind.__module__, kind.__name__)
    return [n for n, entry in list_tasks().items() if (entry["module"], entry["factory"]) == place]


def portable_name(task: "Task | str") -> str:
    """One string under which every process makes this task; a name stays, in one spelling.

    Raises `TaskImportError` for a task that no name makes again, and `UnknownNameError`.
    """
    if isinstance(task, str):
        return join_name(*split_name(check_name(task, list_tasks())))
    found = name_of_task(task)
    if found is None:
        raise TaskImportError(
            f"{task!r} is known to this process alone, and what is asked also runs in others: put "
            f"what makes it into a file, and give its name as {FORM!r}."
        )
    return join_name(*found)
