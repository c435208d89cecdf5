"""`deliberate train`: expert iteration on a task, saved as a policy that can be loaded anywhere."""

from pathlib import Path

import click

from ._measuring import out_option
from ._playing import SEED, Real
from ._progress import display
from ._refusals import INTERRUPTED
from ._tasks import checked_tasks, complete_task


@click.command(
    short_help="Train a network by expert iteration.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate train connect_four --minutes 5 --out policy\n"
    "  deliberate train tic_tac_toe --minutes 0.5 --out small --seed 7\n"
    "  deliberate train my_world:Corridor --minutes 1\n"
    "\b\n"
    "Then in Python:\n"
    "  policy = deliberation.load('policy')",
)
@click.argument("task", shell_complete=complete_task)
@click.option(
    "--minutes",
    type=Real(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Time to train, over all calls that resume; more than before trains on.",
)
@out_option("policy", "Folder of the policy.")
@click.option("--seed", type=SEED, default=0, show_default=True)
def train(task: str, minutes: float, out: Path, seed: int) -> None:
    """Train a network on TASK by search and imitation in turn.

    A killed training resumes, and a finished one goes on if more minutes are given.

    TASK is a name of `deliberate tasks`, with options as in connect_four:width=5, or
    package.module:factory for one of your own.
    """
    (task,) = checked_tasks((task,))
    from .. import hybrid

    steps: list[int] = []

    def watch(step: int, seen: dict[str, float]) -> None:
        steps.append(step)
        progress.update(seen["share"], _note(step, seen))

    try:
        with display(f"Training on {task}") as progress:
            trained = hybrid.train(task, minutes=minutes, folder=out, seed=seed, watch=watch)
    except KeyboardInterrupt:
        click.echo(
            "\nInterrupted; the last checkpoint is kept. The same command resumes.", err=True
        )
        raise SystemExit(INTERRUPTED) from None
    spent = float(trained.ledger.seconds or 0.0) / 60  # type: ignore[arg-type]
    if not steps:
        click.echo(f"Nothing was left to do: it had {spent:.2g} minutes before. More train it on.")
    if not trained.ledger.fits:
        click.echo(
            f"No gradient step was taken in {spent:.2g} minutes, so the network is as it began: "
            "give more --minutes.", err=True,
        )  # fmt: skip
    click.echo(f"Policy: {out}\nIn Python: deliberation.load({str(out)!r})")


def _note(step: int, seen: dict[str, float]) -> str:
    """What to show of an iteration; losses are there from the second on."""
    losses = f", losses {seen['policy']:.2f} and {seen['value']:.3f}" if "policy" in seen else ""
    return f"iteration {step}, {int(seen['positions']):,} positions{losses}"
