"""The claims of the sources, one file each: what is said, how it is measured, what would refute it.

A module here declares a literal `CLAIM = {"name", "item", "title", "statement", "refuted_if"}`, so
that it can be listed without being imported, and two functions: `cells(task, effort)`, what has to
be measured, and `analyse(task, effort, results)`, what that shows. Modules with an underscore are
what the claims share.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..core.catalogue import catalogue, module_of
from ..core.errors import TooLargeError, UnsuitableTaskError

if TYPE_CHECKING:
    from ..core.task import Task
    from ..runs import Cell, Finding, Record

EFFORTS = ("smoke", "quick", "full")


@functools.cache
def list_claims() -> dict[str, dict[str, Any]]:
    """Every claim by name, in the order of its item, without importing any."""
    found = catalogue(Path(__file__).parent, "CLAIM")
    order = sorted(found.items(), key=lambda entry: (entry[1]["item"], entry[0]))
    return {claim["name"]: {**claim, "module": f"{__name__}.{file}"} for file, claim in order}


def claim(name: str) -> ModuleType:
    """One claim's module. Raises `UnknownNameError` with the nearest name."""
    return module_of("claim", name, list_claims())


def default_tasks(effort: str) -> tuple[str, ...]:
    """The tasks that a table measures at an effort unless others are named."""
    from ._effort import effort_of

    return effort_of(effort).tasks


def plan(
    tasks: "Sequence[str | Task]", effort: str, *, only: Sequence[str] | None = None
) -> "list[Cell]":
    """All cells that the claims need on some tasks; cells that claims share appear once.

    Tasks are named as in `tasks.make_task`, or given as objects that a name makes again: cells run
    in other processes. `only` restricts to some claims. Raises `UnknownNameError` for a task or
    claim that is not, and `TaskImportError` for an object that has no such name.
    """
    from ..tasks import portable_name
    from ._cells import closure
    from ._effort import effort_of

    level, names = effort_of(effort), [portable_name(task) for task in tasks]
    wanted = [
        cell for module in _modules(only) for name in names for cell in module.cells(name, level)
    ]
    return closure(wanted)


def refuse_unmeasurable(tasks: "Sequence[str | Task]") -> None:
    """Raise `UnsuitableTaskError` for a task that has no exact answers to measure against.

    Also `TooLargeError`, for one that cannot be solved, as far as random play can tell. Building
    the tasks imports JAX, which planning does without.
    """
    from ..tasks import make_task, portable_name
    from ._effort import LEVELS

    known = {name for level in LEVELS.values() for name in level.tasks}
    for name in map(portable_name, tasks):
        task = make_task(name)
        traits = task.traits
        if not traits.discrete:
            raise UnsuitableTaskError(
                f"{name} has continuous actions, and the claims are measured against exact values "
                "of each action. Take a task whose actions can be counted, such as tic_tac_toe."
            )
        if not (traits.deterministic and traits.fully_observable):
            raise UnsuitableTaskError(
                f"{name} has chance or hidden state, and the claims are measured against exact "
                "solutions of tasks that have neither. Take a game in full view, such as "
                "tic_tac_toe."
            )
        if name not in known:
            _refuse_large(name, task)


def _refuse_large(name: str, task: "Task") -> None:
    from ._size import MOST, least_states

    if least_states(task) > MOST:
        raise TooLargeError(
            f"{name} is too large to be solved: random play alone meets millions of states, and "
            "the claims are measured against exact solutions. Take a smaller one, or give "
            "`deliberate zoo` a decider for it, which needs no solution."
        )


def analyse(
    records: "Mapping[str, Record]",
    tasks: "Sequence[str | Task]",
    effort: str,
    *,
    only: Sequence[str] | None = None,
) -> "list[Finding]":
    """What the records show of each claim; pure, and the same however the records came about."""
    from ..tasks import portable_name
    from ._effort import effort_of
    from ._results import Results, gather

    level, results = effort_of(effort), Results(records)
    names = [portable_name(task) for task in tasks]
    return [
        gather(module.CLAIM, [module.analyse(name, level, results) for name in names])
        for module in _modules(only)
    ]


def _modules(only: Sequence[str] | None) -> list[ModuleType]:
    return [claim(name) for name in (list_claims() if only is None else only)]
