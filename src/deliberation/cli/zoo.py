"""`deliberate zoo`: every named kind of decider, measured on a task it is meant for."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ._measuring import effort_option, jobs_option, measure, out_option, place_options
from ._refusals import refuse_unknown
from ._tasks import TASK_HELP, checked_tasks, complete_task, told_tasks


@click.command(
    short_help="Measure every named kind of decider.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate zoo --list\n"
    "  deliberate zoo --effort smoke\n"
    "  deliberate zoo ppo dqn cross_entropy --out zoo\n"
    "  deliberate zoo uct q_learning --task my_world:Corridor\n"
    "  deliberate zoo --effort full --jobs 8",
)
@click.argument("names", nargs=-1, metavar="[DECIDERS]...")
@effort_option(
    "smoke: to see that it works, compiled in a hurry to programs up to twice slower; quick: "
    "minutes; full: long training, narrow intervals."
)
@out_option("zoo", "Folder of the records, zoo.json and report.html.")
@jobs_option()
@place_options
@click.option(
    "--task", "tasks", multiple=True, metavar="TASK", shell_complete=complete_task,
    help=f"Measure on this task instead; repeatable. {TASK_HELP}",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="Only say what there is.")
def zoo(
    names: tuple[str, ...],
    effort: str,
    out: Path,
    jobs: int | None,
    tasks: tuple[str, ...],
    listing: bool,
    **place: Any,
) -> None:
    """Train and play DECIDERS (by default all), each on the tasks it is meant for or on --task.

    Prints score, distance from the exact optimum, position between search and learning, and cost.
    Kill it and it goes on when called again.
    """
    from .. import zoo as entries

    known = entries.list_zoo()
    refuse_unknown("entry of the zoo", names, known)
    if listing:
        _list(names or tuple(known))
        return
    asked = checked_tasks(tasks)
    wanted = [name for name in known if not names or name in names]
    cells = entries.plan(effort, only=wanted, tasks=asked or None)
    run = {"zoo": wanted, "effort": effort, **told_tasks(asked)}
    with _hurried() if effort == "smoke" else contextlib.nullcontext():
        measure(cells, out, run, jobs, **place)
    present(out)


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """Workers that are started here compile quickly: most of a smoke's minutes go into compiling.

    What this process starts later does not, so that it computes what this process does.
    """
    from ..amortised.training.updates import HASTY

    flags = [f"--{name}={str(value).lower()}" for name, value in HASTY.items()]
    before = os.environ.get("XLA_FLAGS")
    # What the user has set comes last, so that it counts.
    os.environ["XLA_FLAGS"] = " ".join([*flags, before or ""]).strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["XLA_FLAGS"]
        else:
            os.environ["XLA_FLAGS"] = before


def present(folder: Path) -> None:
    """From the records of a zoo to the table in the terminal, zoo.json and report.html."""
    from ..report.zoo import build_zoo, placed, refused, show_zoo

    found, no = placed(folder), refused(folder)
    path = build_zoo(folder, found, no)
    show_zoo(found, no=no)
    click.echo(f"Report: {path.resolve()}")


def _list(names: tuple[str, ...]) -> None:
    from ..zoo import list_zoo

    known = list_zoo()
    width = max(map(len, names))
    for name in names:
        about = known[name]
        click.echo(
            f"{click.style(name.ljust(width), bold=True)}  {about['kind']:9}  {about['title']} "
            + click.style(f"({about['source']}); on {', '.join(about['tasks'])}", dim=True)
        )
