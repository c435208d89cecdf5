"""What all visitors share: threads that take turns, and a few things that are dear to make again.

Nothing in it is about anybody. Work is cut into slices of some milliseconds, and slices of all
visitors wait in one queue, so that ten of them have a tenth of the machine each. What compiles
takes seconds and cannot be cut: it waits in a queue of its own, and what trains in a third.
"""

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

from .habits import Habits
from .limits import TREES
from .pool import Pool, Room
from .settings import Settings

T = TypeVar("T")


class Hall:
    """The shared part of a playground."""

    def __init__(self, settings: Settings):
        self._quick = Pool("slice", max(2, os.cpu_count() or 1))
        self._slow = Pool("slow", 4, spare=4)
        self._school = Pool("learn", 2, spare=4, newest_first=True)
        self._warm: set[Hashable] = set()
        self.habits = Habits(settings.policies)
        self.trees = Room(TREES)
        # The task of a policy that was handed over may be asked for, whatever it is.
        self.settings = replace(settings, tasks=(*settings.tasks, *self.habits.given))
        self.notes: dict[str, str] = {}
        """What is being got ready, for the page to show."""

    async def slice(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work of some milliseconds, in its turn."""
        return await self._quick.run(work, *given)

    async def slow(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work that compiles or solves."""
        return await self._slow.run(work, *given)

    async def learn(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work that may train: what was asked for last comes first."""
        return await self._school.run(work, *given)

    async def warmly(self, form: Hashable, work: Callable[..., T], *given: Any) -> T:
        """A slice whose first run compiles: that one waits with the slow ones."""
        if form in self._warm:
            return await self.slice(work, *given)
        found = await self.slow(work, *given)
        self._warm.add(form)
        return found

    def warmed(self, form: Hashable, work: Callable[..., Any], *given: Any) -> None:
        """The same for whoever is in a thread already: compile, and remember that it was."""
        work(*given)
        self._warm.add(form)

    def close(self) -> None:
        """Take no more work, and tell whoever waits."""
        self.habits.close()
        for pool in (self._quick, self._slow, self._school):
            pool.close()
