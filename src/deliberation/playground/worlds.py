"""Tasks by name and positions on them: what a link holds, checked, and played to its state."""

import copy
import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ..core.errors import FinishedGameError, IllegalActionError
from ..core.picture import Picture
from ..core.task import Task
from ..tasks import list_tasks, make_task
from ..tasks.moves import Game, action_name, names_of, split_moves
from ..tasks.names import check_name
from . import limits
from .asking import Fields, number
from .goals import Goal, objective_of, read_goal, read_walls, with_walls
from .kept import Kept
from .settings import RefusedError, Settings

FIRST = "connect_four"
"""The task that the page opens with."""
_WORLDS, _GAMES = Kept(128), Kept(256)


@dataclass(frozen=True)
class Spot:
    """A position as a link holds it, and what is wanted there.

    The task, the seed of chance and the moves; the goal where it is not the task's own, and the
    cells whose walls are moved.
    """

    task: str
    seed: int = 0
    moves: tuple[str, ...] = ()
    goal: Goal = ()
    walls: tuple[int, ...] = ()

    @property
    def usual(self) -> "Spot":
        """The same with the task's own goal, and its walls where they were."""
        return replace(self, goal=(), walls=())


def read_spot(settings: Settings, fields: Fields) -> Spot:
    """The position that a request is about. Raises `RefusedError`."""
    moves = tuple(split_moves(fields.get("moves", "").replace("+", " ")))
    limits.refuse_above("moves", len(moves), limits.MOVES, "Begin nearer to the start.")
    name = allowed(settings, fields.get("task", FIRST))
    seed, task = number(fields, "seed", 0, 0, 2**31 - 1), world(name)
    return Spot(name, seed, moves, read_goal(task, fields), read_walls(task, fields))


def board_form(fields: Fields) -> tuple[str, ...]:
    """What the programs depend on that a position is played by: its first look compiles them."""
    told = (name for name in ("moves", "goal", "walls") if fields.get(name, "").strip())
    return ("board", fields.get("task", FIRST), *told)


def allowed(settings: Settings, name: str) -> str:
    """A name that a visitor may ask for: a registered one without options, or one of the server's.

    Options can make a world of any size, and a name of another kind has a module imported: those
    are for whoever starts the server. Raises `RefusedError`, `UnknownNameError`.
    """
    if name in settings.tasks or name in list_tasks():
        return name
    if name.isidentifier():
        check_name(name, list_tasks())
    raise RefusedError(
        f"{name[:80]!r} is no registered task. Others, and options, are named where the playground "
        "is started: deliberate serve gridworld:size=7."
    )


def world(name: str) -> Task:
    """The task of a name, made once. Raises `RefusedError` for what is none for a page."""
    return _WORLDS.get(name, functools.partial(_made, name))


def _made(name: str) -> Task:
    try:
        task = make_task(name)
        seen = jax.eval_shape(lambda key: task.observe(task.init(key)), jax.random.key(0))
    except (ValueError, TypeError, ArithmeticError, ImportError) as error:
        raise RefusedError(str(error).splitlines()[0][:300] or f"{name} cannot be made.") from error
    traits = task.traits
    if not traits.discrete:
        raise RefusedError(f"{name} has continuous actions, which nobody plays move by move.")
    remedy = "Choose a smaller world."
    limits.refuse_above("actions", traits.actions, limits.ACTIONS, remedy)
    limits.refuse_above("steps to a game", traits.horizon, limits.HORIZON, remedy)
    size = sum(math.prod(x.shape) for x in jax.tree.leaves(seen))
    limits.refuse_above("numbers to a look", size, limits.OBSERVED, remedy)
    return task


def playable(settings: Settings) -> list[dict[str, Any]]:
    """The tasks that the page offers, by kind, those that show most first."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for name, entry in list_tasks().items():
        room = entry["module"].split(".")[2]
        if room in _HEADS and not entry.get("continuous"):
            about = {"name": name, "summary": entry["summary"].split(";")[0]}
            kinds.setdefault(_HEADS[room], []).append(about)
    for name in [n for n in dict.fromkeys(settings.tasks) if n not in list_tasks()]:
        kinds.setdefault("Your own", []).append({"name": name, "summary": name})
    return [{"kind": kind, "tasks": kinds[kind]} for kind in _ORDER if kind in kinds]


_HEADS = {
    "board": "Boards", "grids": "Grids", "puzzles": "Puzzles", "cards": "Cards",
    "hidden": "Something hidden", "diagnostic": "Diagnostic", "control": "Control",
    "text": "Text",
}  # fmt: skip
_ORDER = [*dict.fromkeys(["Your own", *_HEADS.values()])]


def play(spot: Spot) -> Game:
    """The game at a position. Raises what the moves deserve."""
    return _copied(_GAMES.get(spot, lambda: _played(spot)))


def _played(spot: Spot) -> Game:
    before = _GAMES.peek(replace(spot, moves=spot.moves[:-1])) if spot.moves else None
    if before is not None:
        game = _copied(before)
        try:
            game.play_all(spot.moves[-1:])
            return game
        except (IllegalActionError, FinishedGameError):
            pass  # Played from the start, the error tells the move's number.
    task = world(spot.task)
    game = Game(task, seed=spot.seed, objective=objective_of(task, spot.goal))
    game.states[0] = with_walls(task, game.state, spot.walls)
    game.play_all(spot.moves)
    return game


def _copied(game: Game) -> Game:
    """The same game, to be played on without changing the first."""
    found = copy.copy(game)
    for name in ("states", "actions", "movers", "rewards"):
        setattr(found, name, list(getattr(game, name)))
    return found


def described(game: Game, spot: Spot) -> dict[str, Any]:
    """A position as the page draws it: only what the player to move sees."""
    task, traits = game.task, game.task.traits
    picture = task.picture(game.state)
    shown = task.render(game.state) if game.over else task.render_seen(game.state)
    return {
        "task": spot.task,
        "seed": spot.seed,
        "moves": names_of(task, game.actions),
        "movers": list(game.movers),
        "mover": game.mover,
        "players": traits.players,
        "over": game.over,
        "returns": game.returns,
        "legal": [int(a) for a in np.flatnonzero(game.legal)] if not game.over else [],
        "names": [action_name(task, a) for a in range(traits.actions)],
        "text": shown,
        "picture": None if picture is None else drawn(picture),
        "hidden": not traits.fully_observable,
        "chance": not traits.deterministic,
    }


def drawn(picture: Picture) -> dict[str, Any]:
    """A picture as JSON."""
    return {
        "cells": picture.cells,
        "places": picture.places,
        "here": picture.here,
        "rows": picture.rows,
        "columns": picture.columns,
        "note": picture.note,
        "lean": picture.lean,
    }


def batched(state: Any) -> Any:
    """One state as a batch of one."""
    return jax.tree.map(lambda x: x[None], state)
