"""`deliberate audit`: what a policy responds to, measured."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._playing import checked_deciders, seed_option, trust_option
from ._tasks import checked_tasks, complete_task

if TYPE_CHECKING:
    from ..audit import Answer


@click.command(
    short_help="Does a policy respond to effort, and to what is wanted?",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate audit --list\n"
    "  deliberate audit uct --world gridworld --effort smoke\n"
    '  deliberate audit sb3:ppo.zip --world "gym:FrozenLake-v1?is_slippery=false"\n'
    "  deliberate audit hf:my_model --world countdown:numbers=2,grammar=True\n"
    "  deliberate audit q_learning --world gridworld:size=6 --probes effort,objective\n"
    "  deliberate audit uci:stockfish --world pgx:chess --reference uci:stockfish:20000 \\\n"
    "    --budgets 1,1000,20000 --probes effort\n"
    "  deliberate audit --validate --repeats 20",
)
@click.argument("subject", required=False)
@click.option(
    "--world", metavar="TASK", shell_complete=complete_task,
    help="A task of one player or two, in full view.",
)  # fmt: skip
@click.option("--probes", metavar="A,B", help="These probes alone.")
@click.option(
    "--effort", type=click.Choice(("smoke", "quick", "full")), default="quick", show_default=True,
    help="How many states are asked about, and how often.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("audit"),
    show_default=True, help="Folder of the answers and of audit.html.",
)  # fmt: skip
@seed_option()
@trust_option()
@click.option(
    "--reference", metavar="DECIDER",
    help="Whose word stands for the truth where states cannot be listed: uci:stockfish:20000.",
)  # fmt: skip
@click.option(
    "--budgets", metavar="N,N,...", help="Offered in place of the effort's own, as in 1,100,10000."
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    metavar="S",
    default=1800.0,
    show_default=True,
    help="The time allowed for each probe.",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=2, show_default=True,
    help="Processes that put probes side by side.",
)  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="List the probes.")
@click.option("--specimens", is_flag=True, help="List the specimens, whose answers are known.")
@click.option("--validate", is_flag=True, help="Put all probes to the specimens, and count.")
@click.option(
    "--repeats", type=click.IntRange(1), default=20, show_default=True,
    help="Random worlds for --validate.",
)  # fmt: skip
def audit(
    subject: str | None,
    world: str | None,
    probes: str | None,
    effort: str,
    out: Path,
    seed: int,
    trust: bool,
    reference: str | None,
    budgets: str | None,
    seconds: float,
    jobs: int,
    listed: bool,
    specimens: bool,
    validate: bool,
    repeats: int,
) -> None:
    """Put SUBJECT through a battery of probes in a task, and say what it responds to.

    SUBJECT is named as for `look --with`: an entry of the zoo, the folder of a saved policy,
    package.module:factory, sb3:ppo.zip or hf:FOLDER; budgets are the probes' own. Probes are put in
    processes apart: what dies or hangs there fails one of them. Killed, the same command goes on
    where it was.
    """
    if listed or specimens:
        _list(specimens)
        return
    chosen = None if probes is None else [name.strip() for name in probes.split(",")]
    if validate:
        _validate(chosen, repeats)
        return
    if subject is None or world is None:
        raise click.UsageError(
            "Name a policy and a task, as in `deliberate audit uct --world gridworld`; "
            "`--list` lists the probes."
        )
    (world,) = checked_tasks((world,))
    checked_deciders((subject, *([reference] if reference else [])))
    from ..audit import chosen_probes
    from ..report.pages.audit import build_audit
    from ._audited import Asked, audit_apart

    asked = Asked(
        subject, world, effort, seed, out, reference, seconds, _numbers(budgets), trust
    )  # fmt: skip
    names = chosen_probes(chosen)
    click.echo(f"Making {subject} in {world}, then {len(names)} probes.", err=True)
    progress = _Progress(len(names))
    profile = audit_apart(asked, names, jobs, progress.answered)
    click.echo(str(profile))
    click.echo(f"\nPage: {build_audit(profile, out).resolve()}")


def _numbers(text: str | None) -> tuple[int, ...] | None:
    from ..audit import checked_budgets

    if text is None:
        return None
    try:
        return checked_budgets([int(part) for part in text.split(",")])
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: give whole numbers, as in 1,100,10000.") from error


class _Progress:
    """A line for each answer, with the time that the others are likely to take.

    Who cannot be asked answers at once, and what a folder keeps is there already: neither says how
    long the others take.
    """

    def __init__(self, count: int):
        self.count, self.done, self.began = count, 0, time.monotonic()
        self.asked = 0

    def answered(self, answer: "Answer") -> None:
        """One more."""
        passed = time.monotonic() - self.began
        click.echo(self.line(answer, passed), err=True)

    def line(self, answer: "Answer", passed: float | int) -> str:
        """What is told of an answer so many seconds after the beginning."""
        self.done += 1
        self.asked += answer.found != "not applicable" and answer.seconds <= passed
        more = self.count - self.done
        told = f"{answer.seconds:.0f} s; {passed:.0f} s so far"
        if self.asked and more:
            told += f", up to {passed / self.asked * more:.0f} s left at this pace"
        return f"[{self.done}/{self.count}] {answer.probe}: {answer.named} ({told})"


def _list(specimens: bool) -> None:
    if specimens:
        _list_specimens()
        return
    from ..audit import list_probes

    for name, told in list_probes().items():
        click.echo(f"{click.style(name, bold=True)}: {told['question']}")
        click.echo(f"    {told['statistic']}\n    needs: {told['needs']}")
        click.echo(f"    could be fooled by: {told['fooled_by']}")


def _list_specimens() -> None:
    """Each with what every probe must answer, and why; what is not settled by its making last."""
    from ..specimens import answers, list_specimens

    for name, told in list_specimens().items():
        apart = ", kept out of all tuning" * bool(told.get("held_out"))
        click.echo(f"{click.style(name, bold=True)} ({told['kind']}{apart}): {told['title']}")
        every, by_why = answers(name), dict[tuple[str, str], list[str]]()
        for probe, (truth, why) in every.items():
            if probe not in told["answers"]:
                by_why.setdefault((truth, why), []).append(probe)
        right = ", ".join(f"{probe}: {truth}" for probe, truth in told["answers"].items())
        click.echo(f"    {told['why']}\n    {right}")
        for (truth, why), some in by_why.items():
            click.echo(f"    {', '.join(some)}: {truth} ({why})")


def _validate(probes: list[str] | None, repeats: int) -> None:
    from ..specimens import Validated, by_probe, validate

    def show(line: Validated) -> None:
        rate = line.responded
        counts = ", ".join(f"{word} {n}" for word, n in sorted(line.found.items()))
        mark = "" if line.trusted else "  <- not as it should be"
        click.echo(
            f"{line.probe:<12} {line.specimen:<20} should be {line.truth:<9} responds in "
            f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]  ({counts}){mark}"
        )

    found = validate(probes, repeats=repeats, watch=show)
    click.echo("\nBy probe: said wrongly of those that do not respond; rightly of those that do.")
    for line in by_probe(found):
        where = "" if line.kind == "listed" else f" ({line.kind})"
        few = "" if line.bounded else "  (too few for an upper limit of 8 %)"
        mark = few if line.trusted else "  <- not as it should be"
        told = f"{line.told(right=False)}; {line.told(right=True)}"
        click.echo(f"{line.probe + where:<22} {told}{mark}")
