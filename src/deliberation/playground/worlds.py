"""Tasks by name and positions on them: what a link holds, checked, and played to its state."""

import copy
import functools
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import (
    DeliberationError,
    FinishedGameError,
    ForeignStateError,
    IllegalActionError,
)
from ..core.picture import Picture
from ..core.task import Task
from ..core.witness.codes import decode
from ..tasks import list_tasks, make_task
from ..tasks.moves import Game, action_name, names_of, split_moves
from ..tasks.names import check_name
from ..tasks.seen import table_of
from . import limits
from .asking import Fields, number
from .goals import Goal, objective_of, read_goal, read_walls, with_walls
from .kept import Kept
from .options import chosen
from .settings import RefusedError, Settings, sentence_of

FIRST = "connect_four"
"""The task that the page opens with."""
OPENING = ("3", "4", "1", "0", "2", "2", "6", "0")
"""And the position of it: one that is solved, so that the exact answer is there at first sight."""
_WORLDS, _GAMES, _BEGUN = Kept(128), Kept(256), Kept(256)


@dataclass(frozen=True)
class Spot:
    """A position as a link holds it, and what is wanted there.

    The task, the seed of chance and the moves; the goal where it is not the task's own, the cells
    whose walls are moved, and where the moves begin if not at a start: a state as text.
    """

    task: str
    seed: int = 0
    moves: tuple[str, ...] = ()
    goal: Goal = ()
    walls: tuple[int, ...] = ()
    begun: str = ""

    @property
    def usual(self) -> "Spot":
        """The same with the task's own goal, and its walls where they were."""
        return replace(self, goal=(), walls=())


def first_of(settings: Settings) -> str:
    """The task that the page opens with: the first that was named on the command line."""
    return next(iter(settings.tasks), FIRST)


def opened(settings: Settings, fields: Fields) -> Fields:
    """The fields of a request for what the page opens with, where that is a task that was named."""
    if not (fields.get("first") and settings.tasks):
        return fields
    return {k: v for k, v in fields.items() if k != "first"} | {"task": first_of(settings)}


def read_spot(settings: Settings, fields: Fields) -> Spot:
    """The position that a request is about; `first`: that which the page opens with.

    Raises `RefusedError`.
    """
    fields = opened(settings, fields)
    moves = tuple(split_moves(fields.get("moves", "").replace("+", " ")))
    if fields.get("first"):
        fields, moves = {}, OPENING
    limits.refuse_above("moves", len(moves), limits.MOVES, "Begin nearer to the start.")
    name = allowed(settings, fields.get("task", FIRST))
    seed, task = number(fields, "seed", 0, 0, 2**31 - 1), world(name)
    goal, walls = read_goal(task, fields), read_walls(task, fields)
    return Spot(name, seed, moves, goal, walls, _begun(settings, name, fields.get("kept", "")))


def _begun(settings: Settings, name: str, kept: str) -> str:
    """The state of a position that a record of the folder holds; nobody else can make up a state.

    Raises `RefusedError`.
    """
    if not kept:
        return ""
    from .folder.shelf import shelf_at
    from .folder.sights import kept_state

    shelf = shelf_at(settings)
    try:
        begun = kept_state(shelf, name, kept[:400])
    except DeliberationError as error:
        raise RefusedError(
            "The position is one that a record keeps, and that is not found in the folder of runs "
            f"here: {shelf.told(error)[:200]}",
            404,
        ) from error
    _state(name, begun)
    return begun


def _state(name: str, begun: str) -> Any:
    """The state that a text holds, looked at once. Raises `RefusedError` where it is none."""
    try:
        return _BEGUN.get((name, begun), lambda: decode(world(name), begun))
    except ForeignStateError as error:
        raise _no_position(name) from error


def _no_position(name: str) -> RefusedError:
    return RefusedError(
        f"What the record keeps there holds no position of this task, {name[:80]}.", 404
    )


def board_form(fields: Fields) -> tuple[str, ...]:
    """What the programs depend on that a position is played by: its first look compiles them."""
    told = (name for name in ("first", "moves", "goal", "walls") if fields.get(name, "").strip())
    return ("board", fields.get("task", FIRST), *told)


def allowed(settings: Settings, name: str) -> str:
    """A name that a visitor may ask for: a registered one, or one of the server's, as it is kept.

    A registered one may have options, within limits. A name of another kind has a module imported:
    those are for whoever starts the server, or measured on such a world in the folder of runs.
    Raises `RefusedError`, `UnknownNameError`, and `TaskOptionError`.
    """
    if name in settings.tasks or name in list_tasks() or _measured(settings, name):
        return name
    if re.split(r"[(:]", name, maxsplit=1)[0] in list_tasks():
        return chosen(name)
    if name.isidentifier():
        check_name(name, list_tasks())
    raise RefusedError(
        f"{name[:80]!r} is no registered task. Others are named where the playground is started: "
        "deliberate serve my_games.nim:Nim."
    )


def _measured(settings: Settings, name: str) -> bool:
    """Whether a registered task, with options, is one that the folder of runs has records of."""
    if "(" not in name or len(name) > 200:
        return False
    from .folder.shelf import shelf_at
    from .folder.sights import measured_tasks

    return name in measured_tasks(shelf_at(settings))


def world(name: str) -> Task:
    """The task of a name, made once. Raises `RefusedError` for what is none for a page."""
    return _WORLDS.get(name, functools.partial(_made, name))


def _made(name: str) -> Task:
    try:
        task = make_task(name)
        seen = jax.eval_shape(lambda key: task.observe(task.init(key)), jax.random.key(0))
    except (ValueError, TypeError, ArithmeticError, ImportError) as error:
        raise RefusedError(sentence_of(error)[:300] or f"{name} cannot be made.") from error
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
    if spot.begun:
        game.states[0] = jax.tree.map(jnp.asarray, _state(spot.task, spot.begun))
    game.states[0] = with_walls(task, game.state, spot.walls)
    if spot.begun:
        game.look()
    game.play_all(spot.moves)
    return game


def _copied(game: Game) -> Game:
    """The same game, to be played on without changing the first."""
    found = copy.copy(game)
    for name in ("states", "actions", "movers", "rewards"):
        setattr(found, name, list(getattr(game, name)))
    return found


def described(game: Game, spot: Spot) -> dict[str, Any]:
    """A position as the page draws it: only what the player to move sees. Raises `RefusedError`."""
    try:
        return _described(game, spot)
    except Exception as error:
        if not spot.begun:
            raise
        # A file's state may pass for a position and lead to none, where a task may raise anything.
        raise _no_position(spot.task) from error


def _described(game: Game, spot: Spot) -> dict[str, Any]:
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
        "table": table_of(task, game.state) if picture is None else [],
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
