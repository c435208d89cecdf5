"""`deliberate advise`: plan, learn, or both, on a task and within limits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._measuring import effort_option, jobs_option, out_option
from ._refusals import INTERRUPTED
from ._tasks import checked_tasks, complete_task

if TYPE_CHECKING:
    from ..advice import Limits


def limit_options(command: Any) -> Any:
    """What the user knows; read with its units by `advice.limits`."""
    options = (
        ("--decisions-a-day", "N", "How many decisions a day, as in 5000 or 1e6; 1e4 unless told."),
        ("--days", "D", "For how many days, as in 30 or 2y; a year unless told."),
        ("--latency", "TIME", "How long nine in ten decisions may take at most, as in 10ms."),
        ("--training-budget", "TIME", "How long training may take at most, as in 10m."),
        ("--price", "DOLLARS", "Dollars an hour of a core that decides; 0.05 unless told."),
        ("--training-price", "DOLLARS", "The same of a core that trains; --price unless told."),
        ("--smallest", "SCORE", "The smallest difference in score that matters; a twentieth of "
         "the way from random play to the best that was measured, unless told."),
        ("--time", "TIME", "How long to measure, instead of what --effort stands for."),
    )  # fmt: skip
    for name, form, about in reversed(options):
        command = click.option(name, metavar=form, help=about)(command)
    return command


@click.command(
    short_help="Plan, learn, or both? Measured on your task.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate advise tic_tac_toe --decisions-a-day 100 --days 30\n"
    "  deliberate advise cartpole --decisions-a-day 1e6 --latency 10ms --training-budget 10m\n"
    '  deliberate advise "gym:FrozenLake-v1?is_slippery=false" --latency 5ms\n'
    "  deliberate advise my_world:Corridor --price 0.04 --training-price 2.5 --effort full\n"
    "  deliberate advise connect_four --latency 20ms --time 10m --out connect_four",
)
@click.argument("task", shell_complete=complete_task)
@limit_options
@effort_option("smoke: under a minute, to see that it works; quick: 4 minutes; full: 20 minutes.")
@out_option("advice", "Folder of the records, advice.html, advice.svg and the policy.")
@jobs_option()
def advise(
    task: str, effort: str, out: Path, jobs: int | None, time: str | None, **limits: str | None
) -> None:
    """Measure a few planners, learners and hybrids on TASK, and say what to use within the limits.

    Prints the recommendation, why, how sure it is, the number of decisions from which learning
    pays, and the Python that runs it; advice.html shows the frontiers. Killed, the same command
    goes on where it was.
    """
    # Refused before anything heavy is imported.
    from ..advice.limits import Limits, quantity

    asked = Limits.of(**limits)
    seconds = None if time is None else quantity(time, "time", "time to measure")
    (task,) = checked_tasks((task,))
    from ..advice.advising import measurements, planned
    from ..runs import RichProgress

    plan = planned(task, asked, effort, seconds, jobs)
    click.echo(f"Measuring for {plan['time']:g} s, and what compiling takes.", err=True)
    try:
        measurements(plan, out, jobs=jobs, progress=RichProgress())
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted; what is measured is kept in {out}.", err=True)
        click.echo("The same command goes on at the first missing cell.", err=True)
        raise SystemExit(INTERRUPTED) from None
    present(out, asked)


def present(folder: Path, limits: "Limits | None" = None) -> None:
    """From the records of a run to its text in the terminal, and to its page and figures."""
    from ..advice import read_advice
    from ..report.pages.advice import build_advice

    found = read_advice(folder, limits)
    click.echo(str(found))
    click.echo(f"\nPage: {build_advice(found).resolve()}")
