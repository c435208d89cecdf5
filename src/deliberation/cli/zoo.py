"""`deliberate zoo`: every named kind of decider, measured on a task it is meant for."""

from pathlib import Path

import click

from ._caches import keep_compiled_programs
from ._refusals import INTERRUPTED, refuse_unknown


@click.command(
    short_help="Measure every named kind of decider.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate zoo --list\n"
    "  deliberate zoo --effort smoke\n"
    "  deliberate zoo ppo dqn cross_entropy --out zoo\n"
    "  deliberate zoo --effort full --jobs 8",
)
@click.argument("names", nargs=-1, metavar="[DECIDERS]...")
@click.option(
    "--effort",
    type=click.Choice(("smoke", "quick", "full")),
    default="quick",
    show_default=True,
    help="smoke: to see that it works; quick: minutes; full: long training, narrow intervals.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("zoo"),
    show_default=True,
    help="Folder of the records, zoo.json and report.html.",
)
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; by default one a core.")
@click.option("--list", "listing", is_flag=True, help="Only say what there is.")
def zoo(names: tuple[str, ...], effort: str, out: Path, jobs: int | None, listing: bool) -> None:
    """Train and play DECIDERS (by default all), each on the tasks it is meant for.

    Prints score, distance from the exact optimum, position between search and learning, and cost.
    Kill it and it goes on when called again.
    """
    from .. import zoo as animals

    known = animals.list_zoo()
    refuse_unknown("entry of the zoo", names, known)
    if listing:
        _list(names or tuple(known))
        return
    keep_compiled_programs()
    wanted = [name for name in known if not names or name in names]
    _execute(wanted, effort, out, jobs)
    from ..report.zoo import build_zoo, placed, show_zoo

    found = placed(out)
    path = build_zoo(out, found)
    show_zoo(found)
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


def _execute(names: list[str], effort: str, out: Path, jobs: int | None) -> None:
    from ..runs import RichProgress, execute
    from ..zoo import plan

    try:
        execute(
            plan(effort, only=names),
            out,
            manifest={"zoo": names, "effort": effort},
            jobs=jobs,
            progress=RichProgress(),
        )
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted; what is measured is kept in {out}.", err=True)
        click.echo("The same command goes on at the first missing cell.", err=True)
        raise SystemExit(INTERRUPTED) from None
