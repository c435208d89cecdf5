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
from ..core.errors import UnknownNameError, UnsuitableTaskError

if TYPE_CHECKING:
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


def plan(tasks: Sequence[str], effort: str, *, only: Sequence[str] | None = None) -> "list[Cell]":
    """All cells that the claims need on some tasks; cells that claims share appear once.

    `only` restricts to some claims. Raises `UnknownNameError` for a task or claim that is not.
    """
    from ._cells import closure
    from ._effort import effort_of

    level = effort_of(effort)
    wanted = [
        cell
        for module in _modules(only)
        for task in tasks
        for cell in module.cells(_known(task), level)
    ]
    return closure(wanted)


def refuse_unmeasurable(tasks: Sequence[str]) -> None:
    """Raise `UnsuitableTaskError` for a task that has no exact answers to measure against.

    Building the tasks imports JAX, which planning does without.
    """
    from ..tasks import make_task

    for name in tasks:
        traits = make_task(name).traits
        if not (traits.deterministic and traits.fully_observable):
            raise UnsuitableTaskError(
                f"{name} has chance or hidden state, and the claims are measured against exact "
                "solutions of tasks that have neither. Take a game in full view, such as "
                "tic_tac_toe."
            )


def analyse(
    records: "Mapping[str, Record]",
    tasks: Sequence[str],
    effort: str,
    *,
    only: Sequence[str] | None = None,
) -> "list[Finding]":
    """What the records show of each claim; pure, and the same however the records came about."""
    from ._effort import effort_of
    from ._results import Results, gather

    level, results = effort_of(effort), Results(records)
    return [
        gather(module.CLAIM, [module.analyse(task, level, results) for task in tasks])
        for module in _modules(only)
    ]


def _modules(only: Sequence[str] | None) -> list[ModuleType]:
    return [claim(name) for name in (list_claims() if only is None else only)]


def _known(task: str) -> str:
    from ..tasks import list_tasks

    if task not in list_tasks():
        raise UnknownNameError("task", task, list_tasks())
    return task
