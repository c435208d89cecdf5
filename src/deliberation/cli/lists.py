"""Commands that print what there is: tasks and claims."""

import shutil
import textwrap
from typing import Any

import click

from ._refusals import refuse_unknown


@click.command(
    short_help="List the tasks one can measure on.",
    epilog="\b\nExamples:\n  deliberate tasks\n  deliberate table tic_tac_toe --effort smoke",
)
def tasks() -> None:
    """List the tasks by name, with the options that `deliberation.make_task` takes.

    Options stand behind a name: gridworld:size=5,slip=0.2, or 'gridworld(size=5, slip=0.2)'. Where
    a task is asked for, one of your own may be named too: package.module:factory.
    """
    from ..tasks import list_tasks
    from ..tasks.names import HINT

    known = list_tasks()
    width = max(map(len, known))
    for name, entry in known.items():
        options = " ".join(f"{key}={_short(value)}" for key, value in entry["options"].items())
        click.echo(_wrapped(entry["summary"], click.style(name.ljust(width), bold=True), width))
        if options:
            click.echo(_wrapped(click.style(options, dim=True), " " * width, width))
    click.echo(f"\n{HINT}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@click.command(
    short_help="List the claims that are measured.",
    epilog="\b\nExamples:\n  deliberate claims\n  deliberate claims budget_slope",
)
@click.argument("names", nargs=-1, metavar="[CLAIM]...")
def claims(names: tuple[str, ...]) -> None:
    """List the claims: what each states and what would refute it, fixed before measuring."""
    from ..claims import list_claims

    known = list_claims()
    refuse_unknown("claim", names, known)
    for name in names or known:
        _show_claim(name, known[name])


def _show_claim(name: str, claim: dict[str, Any]) -> None:
    click.echo(f"{click.style(name, bold=True)}  (item {claim['item']}: {claim['title']})")
    click.echo(_wrapped(claim["statement"], "    States:    ", 13))
    click.echo(_wrapped(claim["refuted_if"], "    Refuted if:", 13) + "\n")


def _wrapped(text: str, label: str, width: int) -> str:
    """A label, then text wrapped to the terminal in a column beside it."""
    columns = min(shutil.get_terminal_size().columns, 100) - width - 2
    lines = textwrap.wrap(text, max(columns, 24)) or [""]
    return f"{label}  " + ("\n" + " " * (width + 2)).join(lines)
