"""Tasks that somebody asks to be measured: named in one spelling, and told in a run's settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import list_tasks, make_task, portable_name
from .names import check_name, is_own, source_digest, split_name
from .schemes import scheme_of

if TYPE_CHECKING:
    from ..core.task import Task


def checked_tasks(tasks: "Sequence[str | Task]") -> list[str]:
    """The names of the tasks asked for, each once and in one spelling; one's own are made once.

    Raises `UnknownNameError`, `TaskOptionError`, `TaskImportError`, `TaskFactoryError` and
    `WrongKindError`. Registered names without options cost no time; others import JAX.
    """
    for task in tasks:
        if isinstance(task, str):
            check_name(task, list_tasks())
    asked = list(dict.fromkeys(map(portable_name, tasks)))
    for name in asked:
        base, options = split_name(name)
        if options or is_own(base) or scheme_of(base) is not None:
            make_task(name)
    return asked


def told_tasks(asked: Sequence[str]) -> dict[str, Any]:
    """What a run's manifest says of its tasks: their names, and which version of whose file.

    A file that was changed since is another task: its records are not gone on with.
    """
    digests = {name: source_digest(name) for name in asked}
    sources = {name: digest for name, digest in digests.items() if digest is not None}
    told: dict[str, Any] = {"tasks": list(asked)} if asked else {}
    return {**told, "sources": sources} if sources else told
