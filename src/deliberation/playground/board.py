"""The board: which tasks there are, and a position of one, as the page draws it."""

from typing import Any

from starlette.routing import BaseRoute, Route

from .. import __version__
from .asking import Fields, answering, number
from .exact import solved_moves
from .goals import knobs
from .hall import Hall
from .options import options_of
from .searching import most_simulations, searcher
from .settings import RefusedError
from .worlds import (
    FIRST,
    allowed,
    board_form,
    described,
    first_of,
    opened,
    play,
    playable,
    read_spot,
    world,
)


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return [
        Route("/api/hello", answering(hello), methods=["GET"]),
        Route("/api/solved", answering(solved), methods=["GET"]),
        Route("/api/position", answering(position), methods=["GET", "POST"]),
    ]


async def hello(hall: Hall, fields: Fields) -> dict[str, Any]:
    """What the page needs once: the tasks, and what is being got ready."""
    del fields
    return {
        "version": __version__,
        "tasks": playable(hall.settings),
        "first": first_of(hall.settings),
        "runs": hall.settings.runs is not None,
        "notes": list(hall.notes.values()),
    }


async def position(hall: Hall, fields: Fields) -> dict[str, Any]:
    """A position, played from the start."""
    fields = opened(hall.settings, fields)
    name = fields.get("task", FIRST)
    return await hall.warmly(board_form(fields), _position, hall, fields, of=name)


def _position(hall: Hall, fields: Fields) -> dict[str, Any]:
    spot = read_spot(hall.settings, fields)
    return described(play(spot), spot) | {
        "knobs": knobs(world(spot.task)),
        "options": options_of(spot.task),
        "solved": bool(solved_moves(spot.task)),
        "most": most_simulations(world(spot.task)),
        "searcher": searcher(world(spot.task)),
        "habit": hall.habits.of(spot.task).told(),
    }


async def solved(hall: Hall, fields: Fields) -> dict[str, Any]:
    """The moves to a position whose exact answer comes with the task, by its number."""
    games = solved_moves(allowed(hall.settings, fields.get("task", FIRST)))
    if not games:
        raise RefusedError("No solved positions come with this task.")
    return {"moves": games[number(fields, "number", 0, 0, 10**9) % len(games)]}
