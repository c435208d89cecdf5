"""Asking the playground's hall without a server: what the tests of its answers share."""

import asyncio

from deliberation.playground.hall import Hall
from deliberation.playground.settings import Settings
from deliberation.playground.thinking import think


def opened():
    """A hall, closed at the end."""
    made = Hall(Settings())
    yield made
    made.close()


def thought(hall, **fields):
    """All events of one question, in order; without the strip unless it is asked for."""

    async def gather():
        told = {name: str(value) for name, value in {"strip": 0, **fields}.items()}
        return [event async for event in think(hall, told)]

    return asyncio.run(asyncio.wait_for(gather(), 120))
