"""What all visitors share: threads that take turns, and a few things that are dear to make again.

Nothing in it is about anybody. Work is cut into slices of some milliseconds, and slices of all
visitors wait in one queue, so that ten of them have a tenth of the machine each. What compiles
takes seconds and cannot be cut: it waits in a queue of its own, and what trains in a third.
"""

import os
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

from ..runs.memory import MEGABYTE, Level
from .habits import Habits
from .handed import handed
from .limits import TREES
from .pool import Pool, Room, Watch
from .settings import Settings

T = TypeVar("T")
GROWN = 512 * MEGABYTE
"""Bytes by which the process may grow before compiled programs are let go."""
PATIENT = 3
"""Where something is always computed, they are let go at so many times that."""


class Hall:
    """The shared part of a playground."""

    def __init__(self, settings: Settings):
        rest = self._forget
        self._quick = Pool("slice", max(2, os.cpu_count() or 1), rested=rest)
        self._slow = Pool("slow", 4, spare=4, rested=rest)
        self._school = Pool("learn", 2, spare=4, newest_first=True, rested=rest)
        self._pools = (self._quick, self._slow, self._school)
        self._level, self._forgetting = Level(GROWN), threading.Lock()
        self._warm: set[Hashable] = set()
        self.handed = handed(settings)
        self.habits = Habits(self.handed)
        self.trees = Room(TREES)
        # The task of a policy that was handed over may be asked for, whatever it is.
        given = (one.task for one in self.handed)
        self.settings = replace(settings, tasks=(*settings.tasks, *given))
        self.notes: dict[str, str] = {}
        """What is being got ready, for the page to show."""

    async def slice(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work of some milliseconds, in its turn."""
        return await self._quick.run(work, *given)

    async def slow(self, work: Callable[..., T], *given: Any, of: str = "") -> T:
        """A piece of work that compiles or solves, in the turn of the task that it is `of`."""
        return await self._slow.run(work, *given, of=of)

    async def learn(self, work: Callable[..., T], *given: Any, watch: Watch | None = None) -> T:
        """A piece of work that may train: what was asked for last comes first.

        `watch` is told what share of it is done. Who stops waiting ends the training, at its next
        update, unless somebody else waits for the same.
        """
        return await self._school.run(work, *given, watch=watch)

    async def warmly(self, form: Hashable, work: Callable[..., T], *given: Any, of: str = "") -> T:
        """A slice whose first run compiles: that one waits with the slow ones."""
        if form in self._warm:
            return await self.slice(work, *given)
        found = await self.slow(work, *given, of=of)
        self._warm.add(form)
        return found

    def warmed(self, form: Hashable, work: Callable[..., Any], *given: Any) -> None:
        """The same for whoever is in a thread already: compile, and remember that it was."""
        work(*given)
        self._warm.add(form)

    def close(self) -> None:
        """Take no more work, and tell whoever waits."""
        self.habits.close()
        for pool in self._pools:
            pool.close()

    def _forget(self) -> None:
        """Let compiled programs go once they have piled up: each task has some hundred of its own.

        It is done in a moment in which nothing is computed, where one comes in time.
        """
        if not self._forgetting.acquire(blocking=False):
            return
        try:
            busy = any(pool.busy for pool in self._pools)
            if self._level.hold(PATIENT if busy else 1):
                self._warm.clear()
        finally:
            self._forgetting.release()
