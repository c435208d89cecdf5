"""Tasks on the command line: registered names, and `package.module:factory` for one's own."""

from collections.abc import Sequence
from typing import Any

import click

TASK_HELP = (
    "A name of `deliberate tasks`, with options as in gridworld:size=5, package.module:factory for "
    "one of your own, or another library's: gym:CartPole-v1, pgx:chess, openspiel:breakthrough."
)


def checked_tasks(names: Sequence[str]) -> list[str]:
    """The tasks asked for, each once and in one spelling; those of one's own are made once.

    Raises `UnknownNameError`, `TaskOptionError`, `TaskImportError`, `TaskFactoryError` and
    `WrongKindError`. Registered names without options cost no time; others import JAX.
    """
    from ..tasks import list_tasks, make_task, portable_name
    from ..tasks.names import check_name, is_own, split_name
    from ..tasks.schemes import scheme_of

    for name in names:
        check_name(name, list_tasks())
    asked = list(dict.fromkeys(map(portable_name, names)))
    for name in asked:
        base, options = split_name(name)
        if options or is_own(base) or scheme_of(base) is not None:
            make_task(name)
    return asked


def told_tasks(asked: Sequence[str]) -> dict[str, Any]:
    """What a run's manifest says of its tasks: their names, and which version of whose file.

    A file that was changed since is another task: its records are not gone on with.
    """
    from ..tasks.names import source_digest

    digests = {name: source_digest(name) for name in asked}
    sources = {name: digest for name, digest in digests.items() if digest is not None}
    told: dict[str, Any] = {"tasks": list(asked)} if asked else {}
    return {**told, "sources": sources} if sources else told


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The registered names that begin so, for the shell."""
    del ctx, param
    from ..tasks import list_tasks

    return [name for name in list_tasks() if name.startswith(incomplete)]
