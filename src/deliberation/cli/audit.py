"""`deliberate audit`: what a policy responds to, measured."""

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from ._playing import Real, checked_deciders, seed_option, trust_option
from ._tasks import checked_tasks, complete_task

_UNUSED = ("world", "effort", "seed", "trust", "reference", "budgets", "seconds", "jobs")
"""Options that --validate makes no use of."""


@click.command(
    short_help="Does a policy respond to effort, and to what is wanted?",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate audit --list\n"
    "  deliberate audit --specimens uct,coin\n"
    "  deliberate audit uct --world gridworld --effort smoke\n"
    '  deliberate audit sb3:ppo.zip --world "gym:FrozenLake-v1?is_slippery=false"\n'
    "  deliberate audit hf:my_model --world countdown:numbers=2,grammar=True\n"
    "  deliberate audit q_learning --world gridworld:size=6 --probes effort,objective\n"
    "  deliberate audit uci:stockfish --world pgx:chess --reference uci:stockfish:20000 \\\n"
    "    --budgets 1,1000,20000 --probes effort\n"
    "  deliberate audit --validate --repeats 20\n"
    "  deliberate audit --validate uct --probes effort --repeats 1",
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
    show_default=True, help="Folder of the answers and of audit.html, or of --validate's verdicts.",
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
    type=Real(1),
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
@click.option(
    "--specimens", is_flag=True,
    help="List the specimens, whose answers are known; or say all of those named as SUBJECT.",
)  # fmt: skip
@click.option(
    "--validate", is_flag=True,
    help="Put all probes to the specimens (or to SUBJECT, some of their names), and count.",
)  # fmt: skip
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
        _list(specimens, [] if subject is None else subject.split(","))
        return
    chosen = None if probes is None else [name.strip() for name in probes.split(",")]
    if validate:
        _refuse_unused()
        names = None if subject is None else [name.strip() for name in subject.split(",")]
        _validate(chosen, names, repeats, out)
        return
    if subject is None or world is None:
        raise click.UsageError(
            "Name a policy and a task, as in `deliberate audit uct --world gridworld`; "
            "`--list` lists the probes."
        )
    (world,) = checked_tasks((world,))
    checked_deciders((subject, *([reference] if reference else [])))
    from ..audit import chosen_probes
    from ..audit.telling.progress import Progress
    from ..audit.telling.words import probes_in_words
    from ..report.pages.audit import build_audit
    from ..runs.announced import announced
    from ._audited import Asked, audit_apart

    asked = Asked(
        subject, world, effort, seed, out, reference, seconds, _numbers(budgets), trust
    )  # fmt: skip
    names = chosen_probes(chosen)
    click.echo(f"Making {subject} in {world}, then {probes_in_words(len(names))}.", err=True)
    progress = Progress(len(names), lambda line: click.echo(line, err=True), out)
    with announced(out, subject=subject, task=world, effort=effort, probes=names) as begin:
        profile = audit_apart(asked, names, jobs, progress.answered, begin, progress.begin)
    click.echo(str(profile))
    click.echo(f"\nPage: {build_audit(profile, out).resolve()}")


def _refuse_unused() -> None:
    """Refuse what was asked for beside --validate, whose worlds and efforts are its own."""
    context = click.get_current_context()
    given = [
        f"--{name}" for name in _UNUSED
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]  # fmt: skip
    if given:
        raise click.UsageError(
            f"--validate puts specimens into worlds of its own, with the smoke effort: it makes no "
            f"use of {', '.join(given)}. Leave that out; --probes, --repeats and --out are heeded."
        )


def _numbers(text: str | None) -> tuple[int, ...] | None:
    from ..audit import checked_budgets

    if text is None:
        return None
    try:
        return checked_budgets([int(part) for part in text.split(",")])
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r}: give two or more whole numbers from 1 on that rise, as in 1,100,10000.",
            param_hint="'--budgets'",
        ) from error


def _list(specimens: bool, names: list[str]) -> None:
    if specimens:
        _show_specimens(names) if names else _list_specimens()
        return
    from ..audit import list_probes

    for name, told in list_probes().items():
        click.echo(f"{click.style(name, bold=True)}: {told['question']}")
        click.echo(f"    {told['statistic']}\n    needs: {told['needs']}")
        click.echo(f"    could be fooled by: {told['fooled_by']}")


MAIN = ("effort", "objective", "revaluation", "depth", "extraction", "forecast")
"""Probes whose answers stand in the list of specimens."""


def _list_specimens() -> None:
    """A line each, with what the main probes must answer."""
    from ..specimens import answers, list_specimens

    every = list_specimens()
    wide = max(map(len, every)) + 1
    click.echo(click.style(_line("", "", MAIN, wide), bold=True))
    for name, told in every.items():
        found = answers(name)
        truths = [found[probe][0] if probe in found else "" for probe in MAIN]
        click.echo(_line(name, told["kind"], truths, wide))
    click.echo(
        "\nopen: its making does not settle it. What every probe must answer, and why: "
        "deliberate audit --specimens NAME,NAME"
    )


def _line(name: str, kind: str, truths: Sequence[str], wide: int) -> str:
    short = {"not applicable": "-"}
    told = "".join(f"{short.get(truth, truth):<12}" for truth in truths)
    return f"{name:<{wide}}{kind:<11}{told}".rstrip()


def _show_specimens(names: list[str]) -> None:
    """Each with what every probe must answer, and why; what is not settled by its making last."""
    from ..core.errors import UnknownNameError
    from ..specimens import answers, list_specimens

    every = list_specimens()
    for name in map(str.strip, names):
        if name not in every:
            raise UnknownNameError("specimen", name, every)
        told = every[name]
        apart = ", kept out of all tuning" * bool(told.get("held_out"))
        click.echo(f"{click.style(name, bold=True)} ({told['kind']}{apart}): {told['title']}")
        by_why: dict[tuple[str, str], list[str]] = {}
        for probe, (truth, why) in answers(name).items():
            if probe not in told["answers"]:
                by_why.setdefault((truth, why), []).append(probe)
        right = ", ".join(f"{probe}: {truth}" for probe, truth in told["answers"].items())
        click.echo(f"    {told['why']}\n    {right}")
        for (truth, why), some in by_why.items():
            click.echo(f"    {', '.join(some)}: {truth} ({why})")


def _validate(probes: list[str] | None, names: list[str] | None, repeats: int, out: Path) -> None:
    from ..specimens import by_probe
    from ._validating import validated

    found = []
    for line in validated(probes, names, repeats, out):
        found.append(line)
        rate = line.responded
        share = f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]"
        counts = ", ".join(f"{word} {n}" for word, n in sorted(line.found.items()))
        mark = "" if line.trusted else "  <- not as it should be"
        head = f"{line.probe:<12} {line.specimen:<20} should be {line.truth:<9}"
        click.echo(f"{head} responds in {share}  ({counts}){mark}")
    click.echo(
        "\nBy probe: said to respond of those that do not, and of those that do; said to turn the "
        "other way of those that do; said to do neither of those that do neither."
    )
    for line in by_probe(found):
        where = "" if line.kind == "listed" else f" ({line.kind})"
        few = "" if line.bounded else "  (too few for an upper limit of 8 %)"
        mark = few if line.trusted else "  <- not as it should be"
        click.echo(f"{line.probe + where:<22} {'; '.join(line.told)}{mark}")
