"""The board: which tasks there are, and a position of one, as the page draws it."""

from typing import Any

from starlette.routing import BaseRoute, Route

from .. import __version__
from .asking import Fields, answering
from .hall import Hall
from .worlds import FIRST, described, play, playable, read_spot


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return [
        Route("/api/hello", answering(hello), methods=["GET"]),
        Route("/api/position", answering(position), methods=["GET", "POST"]),
    ]


async def hello(hall: Hall, fields: Fields) -> dict[str, Any]:
    """What the page needs once: the tasks, and what is being got ready."""
    del fields
    return {
        "version": __version__,
        "tasks": playable(hall),
        "first": FIRST,
        "runs": hall.settings.runs is not None,
        "notes": list(hall.notes.values()),
    }


async def position(hall: Hall, fields: Fields) -> dict[str, Any]:
    """A position, played from the start."""
    spot = read_spot(hall, fields)
    return await hall.slice(lambda: described(play(spot), spot))
