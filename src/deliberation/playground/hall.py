"""What all visitors share: threads that take turns, and a few things that are dear to make again.

Nothing in it is about anybody. Work is cut into slices of some milliseconds, and slices of all
visitors wait in one queue, so that ten of them have a tenth of the machine each. What compiles or
trains takes seconds and cannot be cut: it waits in a queue of its own.
"""

import asyncio
import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from .habits import Habits
from .settings import Settings

T = TypeVar("T")


class Hall:
    """The shared part of a playground."""

    def __init__(self, settings: Settings):
        self._quick = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "slice")
        self._slow = ThreadPoolExecutor(4, "slow")
        self._warm: set[Hashable] = set()
        self.habits = Habits(settings.policies)
        # The task of a policy that was handed over may be asked for, whatever it is.
        self.settings = replace(settings, tasks=(*settings.tasks, *self.habits.given))
        self.notes: dict[str, str] = {}
        """What is being got ready, for the page to show."""

    async def slice(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work of some milliseconds, in its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._quick, work, *given)

    async def slow(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work that compiles, trains or solves."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, work, *given)

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
        """Take no more work."""
        self.habits.close()
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)
