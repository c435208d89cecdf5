"""`deliberate play`: a person plays a task in the terminal, or watches deciders play it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import GameFileError
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
from ._table import Table, check_place, read_record, record_of
from ._tasks import checked_tasks, complete_task

if TYPE_CHECKING:
    from ..core.task import Task
    from ..tasks.moves import Game


@click.command(
    short_help="Play a task, or watch deciders play it.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate play tic_tac_toe\n"
    "  deliberate play connect_four --against uct:2000 --seat random --think\n"
    "  deliberate play connect_four --against policy:256\n"
    "  deliberate play gridworld --think\n"
    "  deliberate play kuhn_poker --seed 3\n"
    "  deliberate play tic_tac_toe --watch uct:50 alpha_beta --save game.json\n"
    "  deliberate play tic_tac_toe --replay game.json\n"
    "\b\n"
    "While playing:\n"
    "  a move by number or name; ? for a hint; undo; quit",
)
@click.argument("task", shell_complete=complete_task)
@click.argument("names", nargs=-1, metavar="[DECIDERS]...")
@click.option(
    "--against", metavar="DECIDER[:BUDGET]",
    help="Whom to play: a name of `deliberate zoo --list`, the folder of a saved policy, "
    "package.module:factory, or `search` (the default).",
)  # fmt: skip
@click.option(
    "--watch", is_flag=True, help="Let DECIDERS play: one for all seats, or one for each."
)
@click.option(
    "--seat", type=click.Choice(("0", "1", "random")), default="0", show_default=True,
    help="Where the person sits.",
)  # fmt: skip
@click.option("--think", is_flag=True, help="Show what search makes of each position once played.")
@seed_option()
@trust_option()
@objective_option()
@effort_option()
@click.option("--moves", default="", metavar="MOVES", help="Moves to begin with.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the game as JSON."
)
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="FILE",
    help="Show a game that was kept, and go on where it stopped.",
)  # fmt: skip
def play(
    task: str,
    names: tuple[str, ...],
    against: str | None,
    watch: bool,
    seat: str,
    think: bool,
    seed: int,
    trust: bool,
    objective: str | None,
    effort: str,
    moves: str,
    save: Path | None,
    replay: Path | None,
) -> None:
    """Play TASK move by move against a decider, or watch DECIDERS play it (--watch).

    Of a task that hides something only that is shown which the player to move sees, until the
    game is over. Without a terminal, moves are read line by line.
    """
    if names and not watch:
        raise click.UsageError("DECIDERS are for --watch; name an opponent by --against.")
    (task,) = checked_tasks((task,))
    checked_deciders([*names, *([against] if against else [])])
    if save is not None:
        check_place(save)
    words = moves.replace(",", " ").split()
    if replay is not None:
        told = read_record(replay)
        if told["task"] != task:
            raise GameFileError(f"{replay} is a game of {told['task']}, not of {task}.")
        seed, words = told["seed"], [*told["moves"], *words]
    table, who = _seated(task, names, against, watch, seat, seed, objective, effort, trust)
    from ._rounds import Rounds

    rounds = Rounds(table, task, think)
    try:
        rounds.begin(words)
        rounds.run()
    finally:
        if save is not None:
            write_whole(save, record_of(table, task, who))
            click.echo(f"Game: {save}")
    raise SystemExit(rounds.code)


def _seated(
    task: str, names: tuple[str, ...], against: str | None, watch: bool, seat: str, seed: int,
    objective: str | None, effort: str, trust: bool,
) -> tuple[Table, list[str]]:  # fmt: skip
    """The game with everybody in their seats, and what these are called."""
    from ..core.errors import BatchMismatchError, UnsuitableTaskError
    from ..tasks import make_task
    from ..tasks.moves import Game
    from ..zoo.naming import SEARCH

    world = make_task(task)
    if not world.traits.discrete:
        raise UnsuitableTaskError(
            f"{task} has continuous actions, which nobody types in move by move. See what deciders "
            f"make of it: deliberate look {task} --with cross_entropy."
        )
    game = Game(world, seed=seed, objective=asked_objective(world, objective))
    players = world.traits.players
    if watch:
        chosen = list(names or (SEARCH,))
        if len(chosen) not in (1, players):
            raise BatchMismatchError(
                f"{task} has {players} player{'s' * (players > 1)}: name one decider for all "
                f"seats, or one for each; got {len(chosen)}."
            )
        seats: list[str | None] = [*(chosen * players if len(chosen) == 1 else chosen)]
    else:
        mine = _seat(game, seat)
        seats = [None if p == mine else against or SEARCH for p in range(players)]
    return _filled(world, game, seats, seed, effort, trust)


def _filled(
    world: "Task", game: "Game", seats: list[str | None], seed: int, effort: str, trust: bool
) -> tuple[Table, list[str]]:
    from ..core.errors import UnsuitableTaskError
    from ..zoo.naming import SEARCH

    asked = [name for name in seats if name is not None]
    made = made_deciders(world, asked, seed, effort, trust)
    hint = None
    if None in seats:
        try:
            hint = made_deciders(world, [SEARCH], seed, effort)[SEARCH]
        except UnsuitableTaskError:
            hint = None
    sitting: list[Any] = [None if name is None else made[name] for name in seats]
    return Table(game, sitting, hint), ["person" if n is None else n for n in seats]


def _seat(game: "Game", seat: str) -> int:
    """Where the person sits; a task for one has one seat."""
    import jax

    from ..core.keys import named_key

    players = game.task.traits.players
    if seat == "random":
        return int(jax.random.randint(named_key(game.key, "seat"), (), 0, players))
    return min(int(seat), players - 1)
