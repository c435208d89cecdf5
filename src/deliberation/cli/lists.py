"""Commands that print what there is: tasks and claims."""

import shutil
import textwrap
from collections.abc import Sequence
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
    from ..tasks.schemes import FORMS

    known = list_tasks()
    width = max(map(len, known))
    for name, entry in known.items():
        options = " ".join(f"{key}={_short(value)}" for key, value in entry["options"].items())
        click.echo(_wrapped(entry["summary"], click.style(name.ljust(width), bold=True), width))
        if options:
            click.echo(_wrapped(click.style(options, dim=True), " " * width, width))
    click.echo(f"\n{HINT}\n{FORMS}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@click.command(
    short_help="List the claims that are measured, or validate them.",
    epilog="\b\nExamples:\n  deliberate claims\n  deliberate claims budget_slope learned\n"
    "  deliberate claims --validate\n  deliberate claims exchange_rate --validate --repeats 50",
)
@click.argument("names", nargs=-1, metavar="[CLAIM | ROW]...")
@click.option(
    "--validate",
    is_flag=True,
    help="Put the claims to worlds in which the truth is planted, and count their verdicts.",
)
@click.option(
    "--repeats", type=click.IntRange(1), default=200, show_default=True, help="Draws of each world."
)
def claims(names: tuple[str, ...], validate: bool, repeats: int) -> None:
    """List the claims: what each states and what would refute it, fixed before measuring.

    All of them, some by name, or those of a row of the table: its aspects, "commentary", "learned"
    and "language" (`deliberate table --rows ROW` measures them).

    With --validate, a matrix of planted truths by verdicts: a null effect may be supported in no
    more than 5 % of its repeats, an effect of twice the smallest that matters must be in at least
    80 %.
    """
    from ..claims import ORDER, claims_of_rows, list_claims

    known = list_claims()
    refuse_unknown("claim or row", names, {**known, **ORDER})
    # A claim that has the name of its row is the claim.
    wanted = (([name] if name in known else claims_of_rows([name])) for name in names)
    names = tuple(dict.fromkeys(name for some in wanted for name in some))
    if validate:
        _validate(names or tuple(known), repeats)
        return
    for name in names or known:
        _show_claim(name, known[name])


def _validate(names: Sequence[str], repeats: int) -> None:
    from ..claims.validation import Validated
    from ..claims.validation import validate as put

    heads = ("claim", "planted", "world", "supported", "refuted", "neither")
    click.echo(f"{heads[0]:24}{heads[1]:8}{heads[2]:48}{heads[3]:>10}{heads[4]:>9}{heads[5]:>9}")

    def show(one: Validated) -> None:
        counts = f"{one.supported:10}{one.refuted:9}{one.inconclusive:9}"
        mark = "✓" if one.trusted else click.style("✕", fg="red")
        click.echo(f"{one.claim:24}{one.planted:8}{one.world[:46]:48}{counts}  {mark}")

    found = put(names, repeats=repeats, watch=show)
    good = sum(one.trusted for one in found)
    click.echo(f"{good} of {len(found)} planted worlds are judged as they should be.")
    if good < len(found):
        raise SystemExit(1)


def _show_claim(name: str, claim: dict[str, Any]) -> None:
    from ..claims import ASPECTS, CHAPTERS, STORIES, sources_of

    aspect = claim["aspect"]
    row = ASPECTS[aspect].title if aspect in ASPECTS else "Beneath the table"
    if aspect in STORIES:
        chapter = CHAPTERS.get(claim.get("chapter", ""))
        row = f"{STORIES[aspect].title}: {chapter.title}" if chapter else STORIES[aspect].title
    click.echo(f"{click.style(name, bold=True)}  ({row}: {claim['title']})")
    for label, field in (
        ("    States:    ", "statement"),
        ("    Measured:  ", "estimand"),
        ("    Over:      ", "unit"),
        ("    Matters:   ", "smallest"),
        ("    Refuted if:", "refuted_if"),
    ):
        click.echo(_wrapped(claim[field], label, 13))
    told = "; ".join(f"{one.by}, {one.title}" for one in sources_of(claim))
    click.echo(_wrapped(told, "    Source:    ", 13))
    click.echo()


def _wrapped(text: str, label: str, width: int) -> str:
    """A label, then text wrapped to the terminal in a column beside it."""
    columns = min(shutil.get_terminal_size().columns, 100) - width - 2
    lines = textwrap.wrap(text, max(columns, 24)) or [""]
    return f"{label}  " + ("\n" + " " * (width + 2)).join(lines)
