"""`deliberate table` and `deliberate report`: measure, and show what was measured."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._measuring import effort_option, jobs_option, measure, out_option, place_options
from ._playing import Real
from ._tasks import checked_tasks, complete_task
from .advise import present as present_advice
from .zoo import present as present_zoo

if TYPE_CHECKING:
    from ..claims.measuring.prices import Prices


def price_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What computing is paid for: `price` and `training_price`, for the rows in dollars."""
    cost: Any = {"type": Real(min=0, min_open=True), "metavar": "DOLLARS"}
    about = "Dollars an hour of a core that decides, for n* by money; 0.05 unless told."
    price = click.option("--price", help=about, **cost)
    about = "The same of a core that trains; that of decisions unless told."
    return price(click.option("--training-price", help=about, **cost)(command))


@click.command(
    short_help="Measure the comparison table.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate table\n"
    "  deliberate table tic_tac_toe connect_four --effort smoke\n"
    "  deliberate table connect_four --claim budget_slope --out slope\n"
    "  deliberate table --rows learned --out learned\n"
    "  deliberate table --rows language --out language\n"
    "  deliberate table my_world:Corridor --effort smoke\n"
    "  deliberate table --effort full --out results --jobs 8\n"
    "  deliberate table tic_tac_toe --price 0.04 --training-price 2.5\n"
    "  deliberate table --effort full --backend ray --address 10.0.0.1:6379",
)
@click.argument("names", nargs=-1, metavar="[TASKS]...", shell_complete=complete_task)
@effort_option(
    "smoke: minutes, to see that it works; quick: a quarter of an hour; full: narrow intervals."
)
@out_option("out", "Folder of the records, table.json and report.html.")
@click.option("--claim", "only", multiple=True, metavar="NAME", help="Only this claim; repeatable.")
@click.option(
    "--rows",
    multiple=True,
    metavar="ROW",
    help='Only the claims of this row, or of "commentary", "learned" or "language"; repeatable.',
)
@jobs_option()
@price_options
@place_options
def table(
    names: tuple[str, ...],
    effort: str,
    out: Path,
    only: tuple[str, ...],
    rows: tuple[str, ...],
    jobs: int | None,
    price: float | None,
    training_price: float | None,
    **place: Any,
) -> None:
    """Measure every claim on TASKS and show the table; kill it and it goes on when called again.

    A task is a name of `deliberate tasks`, or package.module:factory for one of your own.
    Into the folder go records.jsonl (one line a measured cell), report.html, and every row as
    table.json and table.csv.
    """
    from .. import claims
    from ..claims.measuring.prices import Prices

    run = claims.asked_run(
        checked_tasks(names), effort, only=only, rows=rows,
        prices=Prices.asked(price, training_price),
    )  # fmt: skip
    cells = claims.plan(run["tasks"], effort, only=run["claims"])
    whole = measure(cells, out, run, jobs, keep_going=True, **place)
    _present(out, partial=True)
    if not whole:
        raise SystemExit(1)


@click.command(
    short_help="Rebuild the report from its records.",
    epilog="\b\nExamples:\n  deliberate report out\n  deliberate report out --partial\n"
    "  deliberate report out --price 0.04 --training-price 2.5\n  deliberate report zoo",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--partial", is_flag=True, help="Show what is measured so far of a run not ended.")
@price_options
def report(folder: Path, partial: bool, price: float | None, training_price: float | None) -> None:
    """Rebuild the table and report.html in FOLDER from its records alone, measuring nothing.

    FOLDER is what `deliberate table`, `zoo` or `advise` wrote into; prices are those that the
    table was asked for, unless others are given.
    """
    from ..claims.measuring.prices import Prices
    from ..runs import read_manifest

    manifest = read_manifest(folder)
    if "zoo" in manifest:
        present_zoo(folder)
    elif "advice" in manifest:
        present_advice(folder)
    else:
        _present(folder, partial, Prices.asked(price, training_price))


def _present(out: Path, partial: bool, prices: "Prices | None" = None) -> None:
    """From the records to the table in the terminal, and the files of the folder."""
    from .. import report as pages

    findings = pages.findings(out, partial=partial, prices=prices)
    path = pages.build(out, findings).resolve()
    pages.show(findings)
    for note in pages.notes(out, findings):
        click.echo(f"\n{note}")
    click.echo(f"\nReport: {path}")
    click.echo(f"Every row: {path.with_name('table.csv')}, and table.json")
