"""Whether anybody keeps what is noted of positions; imports nothing, so that asking is free."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Protocol

_WATCHES: ContextVar["Watch | None"] = ContextVar("watches", default=None)


class Kept(Protocol):
    """What was noted, as a record keeps it."""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        ...


class Watch:
    """Who keeps what is noted; the witness comes into being with the first note."""

    def __init__(self) -> None:
        self.made: Kept | None = None
        self.said, self.within = "", False

    def told(self) -> dict[str, Any]:
        """What a record keeps, as JSON; nothing where nothing was noted."""
        return {} if self.made is None else self.made.told()


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Keep what is noted inside, of however deep a call."""
    watch = Watch()
    before = _WATCHES.set(watch)
    try:
        yield watch
    finally:
        _WATCHES.reset(before)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Nothing is noted inside: of warming up, and of play that is only a yardstick."""
    before = _WATCHES.set(None)
    try:
        yield
    finally:
        _WATCHES.reset(before)


@contextlib.contextmanager
def saying(said: str, *, within: bool = False) -> Iterator[None]:
    """What is noted inside was asked or played in this way, in words.

    States that are `within` others (as their `state`) are those to be kept.
    """
    there = _WATCHES.get()
    if there is None:
        yield
        return
    before = there.said, there.within
    there.said, there.within = said, within
    try:
        yield
    finally:
        there.said, there.within = before


def watch() -> Watch | None:
    """Who keeps what is noted now, if anybody does."""
    return _WATCHES.get()
