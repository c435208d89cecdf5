"""What all visitors share: threads that take turns, and a few things that are dear to make again.

Nothing in it is about anybody. Work is cut into slices of some milliseconds, and slices of all
visitors wait in one queue, so that ten of them have a tenth of the machine each. What compiles or
trains takes seconds and cannot be cut: it waits in a queue of its own.
"""

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .settings import Settings

T = TypeVar("T")


class Hall:
    """The shared part of a playground."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._quick = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "slice")
        self._slow = ThreadPoolExecutor(2, "slow")
        self.notes: dict[str, str] = {}
        """What is being got ready, for the page to show."""

    async def slice(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work of some milliseconds, in its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._quick, work, *given)

    async def slow(self, work: Callable[..., T], *given: Any) -> T:
        """A piece of work that compiles, trains or solves."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, work, *given)

    def close(self) -> None:
        """Take no more work."""
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)


class Kept:
    """The last so many things that were made, each made once however many ask at a time."""

    def __init__(self, most: int):
        self.most, self._lock = most, threading.Lock()
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a name, else what is made now."""
        with self._lock:
            if name in self._made:
                self._made.move_to_end(name)
                return self._made[name]
            mine = self._making.setdefault(name, threading.Lock())
        with mine:
            found = self.peek(name)
            if found is None:
                found = make()
            with self._lock:
                self._made[name] = found
                self._making.pop(name, None)
                while len(self._made) > self.most:
                    self._made.popitem(last=False)
        return found

    def peek(self, name: Hashable) -> Any:
        """What is kept under a name, or None."""
        with self._lock:
            return self._made.get(name)
