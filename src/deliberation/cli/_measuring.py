"""What the commands that measure share: their options, and how they run and are interrupted."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._refusals import INTERRUPTED

if TYPE_CHECKING:
    from ..runs import Cell

MOST_TOLD = 5
"""Failed cells whose reasons are told one by one."""

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def effort_option(about: str) -> Option:
    """How long to measure."""
    levels = click.Choice(("smoke", "quick", "full"))
    return click.option("--effort", type=levels, default="quick", show_default=True, help=about)


def out_option(folder: str, about: str) -> Option:
    """Where everything goes."""
    place = click.Path(file_okay=False, path_type=Path)
    return click.option("--out", type=place, default=Path(folder), show_default=True, help=about)


def jobs_option() -> Option:
    """How many work at once."""
    about = "Worker processes; by default one a core."
    return click.option("--jobs", type=click.IntRange(1), help=about)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where cells run and keep their files: `backend`, `address` and `artefacts`."""
    kinds = click.Choice(("local", "ray", "dask"))
    about = "Where to work: processes of this machine, or a cluster of Ray or Dask."
    backend = click.option("--backend", type=kinds, default="local", show_default=True, help=about)
    about = "Of a running cluster; without it, one of --jobs workers is started here."
    address = click.option("--address", metavar="ADDRESS", help=about)
    about = "Where files of cells go, as s3://bucket/folder; by default into the --out folder."
    return backend(address(click.option("--artefacts", metavar="URL", help=about)(command)))


def measure(
    cells: "Sequence[Cell]",
    out: Path,
    manifest: dict[str, Any],
    jobs: int | None,
    *,
    backend: str = "local",
    address: str | None = None,
    artefacts: str | None = None,
    keep_going: bool = False,
) -> bool:
    """Run what is not recorded yet, and say whether all is; an interruption says how to go on.

    With `keep_going` a cell that fails takes down only what needs it, and is told at the end.
    """
    from ..runs import RichProgress, execute
    from ..runs.backends import open_pool

    _tell_slow(backend)
    try:
        with open_pool(backend, jobs=jobs, address=address) as pool:
            there = {"pool": pool, "artefacts": artefacts}
            there = {name: value for name, value in there.items() if value is not None}
            shown = RichProgress()
            run = execute(
                cells, out, manifest=manifest, jobs=jobs, progress=shown, keep_going=keep_going,
                **there,
            )  # fmt: skip
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted; what is measured is kept in {out}.", err=True)
        click.echo("The same command goes on at the first missing cell.", err=True)
        raise SystemExit(INTERRUPTED) from None
    names = {cell.id: cell.name for cell in cells}
    for cell, why in list(run.failures.items())[:MOST_TOLD]:
        click.echo(
            f"Not measured: {names.get(cell, cell)}: {why.strip().splitlines()[-1]}", err=True
        )
    if run.failures:
        click.echo(
            f"{len(run.failures)} cells failed; the same command tries them again.", err=True
        )
    return not run.failures


def _tell_slow(backend: str) -> None:
    """Say beforehand where trees are searched without the kernels: it takes many times as long."""
    from ..direct.kernels.build import compiler

    if backend == "local" and not compiler():
        click.echo(
            "No C++ compiler was found, so trees are searched by JAX alone, which takes longer; "
            "with one (Debian: apt install g++) the kernels are built at once.",
            err=True,
        )
