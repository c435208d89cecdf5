"""`deliberate audit`: what a policy responds to, measured."""

from pathlib import Path

import click

from ._caches import keep_compiled_programs
from ._playing import checked_deciders, made_deciders, seed_option
from ._tasks import checked_tasks, complete_task


@click.command(
    short_help="Does a policy respond to effort, and to what is wanted?",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate audit --list\n"
    "  deliberate audit uct --world gridworld --effort smoke\n"
    '  deliberate audit sb3:ppo.zip --world "gym:FrozenLake-v1?is_slippery=false"\n'
    "  deliberate audit q_learning --world gridworld:size=6 --probes effort,objective\n"
    "  deliberate audit --validate --repeats 20",
)
@click.argument("subject", required=False)
@click.option(
    "--world", metavar="TASK", shell_complete=complete_task,
    help="A task of one player whose states can be listed.",
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
    listed: bool,
    specimens: bool,
    validate: bool,
    repeats: int,
) -> None:
    """Put SUBJECT through a battery of probes in a task, and say what it responds to.

    SUBJECT is named as for `look --with`: an entry of the zoo, the folder of a saved policy,
    package.module:factory, or sb3:ppo.zip; budgets are the probes' own. Killed, the same command
    goes on where it was.
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
    checked_deciders((subject,))
    keep_compiled_programs()
    import jax

    from ..audit import audit as put
    from ..report.pages.audit import build_audit
    from ..tasks import make_task

    task = make_task(world)
    made = made_deciders(task, (subject,), seed, "smoke")[subject]
    profile = put(
        made.decider, task, probes=chosen, effort=effort, out=out, key=jax.random.key(seed)
    )
    click.echo(str(profile))
    click.echo(f"\nPage: {build_audit(profile, out).resolve()}")


def _list(specimens: bool) -> None:
    if specimens:
        from ..specimens import list_specimens

        for name, told in list_specimens().items():
            right = ", ".join(f"{probe}: {truth}" for probe, truth in told["answers"].items())
            click.echo(f"{click.style(name, bold=True)} ({told['kind']}): {told['title']}")
            click.echo(f"    {told['why']}\n    {right}")
        return
    from ..audit import list_probes

    for name, told in list_probes().items():
        click.echo(f"{click.style(name, bold=True)}: {told['question']}")
        click.echo(f"    {told['statistic']}\n    could be fooled by: {told['fooled_by']}")


def _validate(probes: list[str] | None, repeats: int) -> None:
    from ..specimens import Validated, validate

    def show(line: Validated) -> None:
        rate = line.responded
        counts = ", ".join(f"{word} {n}" for word, n in sorted(line.found.items()))
        mark = "" if line.trusted else "  <- not as it should be"
        click.echo(
            f"{line.probe:<12} {line.specimen:<20} should be {line.truth:<9} responds in "
            f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]  ({counts}){mark}"
        )

    keep_compiled_programs()
    validate(probes, repeats=repeats, watch=show)
