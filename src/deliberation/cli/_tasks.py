"""Tasks on the command line: registered names, and `package.module:factory` for one's own."""

from collections.abc import Sequence
from typing import Any

import click

TASK_HELP = (
    "A name of `deliberate tasks`, with options as in gridworld:size=5, package.module:factory for "
    "one of your own, or another library's: gym:CartPole-v1, pgx:chess, openspiel:breakthrough."
)


def checked_tasks(names: Sequence[str]) -> list[str]:
    """The tasks asked for, each once and in one spelling (see `tasks.asked`)."""
    from ..tasks import asked

    return asked.checked_tasks(names)


def told_tasks(names: Sequence[str]) -> dict[str, Any]:
    """What a run's manifest says of its tasks (see `tasks.asked`)."""
    from ..tasks import asked

    return asked.told_tasks(names)


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The registered names that begin so, for the shell."""
    del ctx, param
    from ..tasks import list_tasks

    return [name for name in list_tasks() if name.startswith(incomplete)]
