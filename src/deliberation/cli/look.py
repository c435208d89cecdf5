"""`deliberate look`: one position, and what deciders make of each of its actions."""

from pathlib import Path

import click

from ._playing import (
    asked_objective,
    checked_deciders,
    effort_option,
    made_deciders,
    objective_option,
    seed_option,
    trust_option,
    write_whole,
)
from ._progress import patience
from ._tasks import checked_tasks, complete_task


@click.command(
    short_help="Show a position and what deciders make of it.",
    epilog="\b\n"
    "Examples:\n"
    '  deliberate look tic_tac_toe --position "0 3 1 4"\n'
    '  deliberate look connect_four --position "3 3 2" --with uct:2000 --svg look.svg\n'
    "  deliberate look gridworld --with uct:256 --with q_learning\n"
    "  deliberate look kuhn_poker --position pass --with history_search:1000\n"
    "  deliberate look gridworld:size=4 --objective goal=-1\n"
    "  deliberate look connect_four --with policy:256 --with policy:0",
)
@click.argument("task", shell_complete=complete_task)
@click.option(
    "--position", default="", metavar="MOVES",
    help="Moves from the start, by number or by name, parted by spaces or commas.",
)  # fmt: skip
@seed_option()
@trust_option()
@click.option(
    "--with", "deciders", multiple=True, metavar="DECIDER[:BUDGET]",
    help="A name of `deliberate zoo --list`, the folder of a saved policy, package.module:factory, "
    "or `search` (the default); repeatable.",
)  # fmt: skip
@objective_option()
@effort_option()
@click.option(
    "--states", type=click.IntRange(0), default=50_000, show_default=True,
    help="Solve the position exactly if no more states than this follow; 0: never.",
)  # fmt: skip
@click.option(
    "--line", type=click.IntRange(0, 64), default=8, show_default=True,
    help="Moves of the principal variation.",
)  # fmt: skip
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture into this file."
)
def look(
    task: str,
    position: str,
    seed: int,
    trust: bool,
    deciders: tuple[str, ...],
    objective: str | None,
    effort: str,
    states: int,
    line: int,
    svg: Path | None,
) -> None:
    """Show a state of TASK, and the prior, visits and value that deciders give each action.

    The exact values stand beside them where all that follows can be listed. Of a task that hides
    something only that is shown which the player to move sees.
    """
    (task,) = checked_tasks((task,))
    checked_deciders(deciders)
    from ..report.position_svg import look_svg
    from ..report.positions import show_look
    from ..tasks import make_task
    from ..tasks.moves import Game, names_of, split_moves
    from ..zoo.views import look as look_at

    with patience(f"Making {task}"):
        world = make_task(task)
    wanted = asked_objective(world, objective)
    with patience(f"Playing to the position in {task}"):
        game = Game(world, seed=seed, objective=wanted)
        game.play_all(split_moves(position))
    names = deciders or _usual(world)
    played = " ".join(names_of(world, game.actions)) if world.traits.fully_observable else position
    title = f"{task} after {played}" if played else task
    with patience(f"Making {', '.join(names)}"):
        made = made_deciders(world, names, seed, effort, trust)
    solving = f"Listing what follows, up to {states:,} states{_endless(world)}"
    with patience(f"Asking {', '.join(names)}") as doing:
        found = look_at(
            game, title, [made[name] for name in names], exact=states > 0, objective=wanted,
            max_states=states, depth=line, listing=lambda: doing(solving),
        )  # fmt: skip
    show_look(found)
    if svg is not None:
        write_whole(svg, look_svg(found))
        click.echo(f"Picture: {svg}")


def _endless(world: "object") -> str:
    """What limits a task's episodes, where nothing does: then much may follow."""
    from ..core.task import Task

    assert isinstance(world, Task)
    if not world.traits.continuing:
        return ""
    return (
        "; nothing limits the episodes (max_episode_steps=50 in the name of an environment would; "
        "--states 0 lists nothing)"
    )


def _usual(world: "object") -> tuple[str, ...]:
    """Who is asked unless told: a search, or random shooting where actions are continuous."""
    from ..core.task import Task

    assert isinstance(world, Task)
    return ("search",) if world.traits.discrete else ("cross_entropy",)
