"""`deliberate table` and `deliberate report`: measure, and show what was measured."""

from pathlib import Path
from typing import Any

import click

from ._caches import keep_compiled_programs
from ._refusals import INTERRUPTED, refuse_unknown

EFFORTS = ("smoke", "quick", "full")


@click.command(
    short_help="Measure the comparison table.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate table\n"
    "  deliberate table tic_tac_toe connect_four --effort smoke\n"
    "  deliberate table --effort full --out results --jobs 8",
)
@click.argument("names", nargs=-1, metavar="[TASKS]...")
@click.option(
    "--effort",
    type=click.Choice(EFFORTS),
    default="quick",
    show_default=True,
    help="smoke: 90 s, to see that it works; quick: minutes; full: narrow intervals.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder of the records, table.json and report.html.",
)
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; by default one a core.")
def table(names: tuple[str, ...], effort: str, out: Path, jobs: int | None) -> None:
    """Measure every claim on TASKS and show the table; kill it and it goes on when called again.

    Into the folder go records.jsonl (one line a measured cell), table.json and report.html.
    """
    from ..tasks import list_tasks

    refuse_unknown("task", names, list_tasks())
    keep_compiled_programs()
    from .. import claims

    tasks = list(names) or list(claims.DEFAULT_TASKS(effort))
    _execute(claims.plan(tasks, effort), out, tasks, effort, jobs)
    _present(out)


@click.command(
    short_help="Rebuild the report from its records.",
    epilog="\b\nExamples:\n  deliberate report out",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def report(folder: Path) -> None:
    """Rebuild table.json and report.html in FOLDER from its records alone, measuring nothing."""
    _present(folder)


def _execute(cells: list[Any], out: Path, tasks: list[str], effort: str, jobs: int | None) -> None:
    from ..runs import RichProgress, execute

    manifest = {"tasks": tasks, "effort": effort}
    try:
        execute(cells, out, manifest=manifest, jobs=jobs, progress=RichProgress())
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted; what is measured is kept in {out}.", err=True)
        click.echo("The same command goes on at the first missing cell.", err=True)
        raise SystemExit(INTERRUPTED) from None


def _present(out: Path) -> None:
    """From the records to the table in the terminal, table.json and report.html."""
    from .. import report as pages

    findings = pages.findings(out)
    path = pages.build(out, findings)
    pages.show(findings)
    click.echo(f"Report: {path.resolve()}")
