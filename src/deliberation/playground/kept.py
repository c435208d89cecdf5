"""Things that are dear to make: the last so many are kept, whoever asks."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ..core.telling import hearing, listener, tell
from .pool import LeftError

T = TypeVar("T")
GLANCE = 0.1
"""Seconds after which one who waits looks whether that is still wanted."""


class _Making:
    """One thing that is being made: by whoever holds the lock, for as many as `asked`."""

    def __init__(self) -> None:
        self.lock, self.asked, self.share = threading.Lock(), 0, 0.0


class Kept:
    """The last so many things that were made, each made once however many ask at a time.

    Making goes on as long as one of those who asked still waits for it.
    """

    def __init__(self, most: int):
        self.most, self._lock = most, threading.Lock()
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a name, else what is made now."""
        with self._lock:
            if name in self._made:
                self._made.move_to_end(name)
                return self._made[name]
            mine = self._making.setdefault(name, _Making())
            mine.asked += 1
        try:
            while not mine.lock.acquire(timeout=GLANCE):
                tell(mine.share)
            try:
                found = self.peek(name)
                return self._keep(name, _made(mine, make) if found is None else found)
            finally:
                mine.lock.release()
        finally:
            with self._lock:
                mine.asked -= 1
                if not mine.asked:
                    self._making.pop(name, None)

    def _keep(self, name: Hashable, found: T) -> T:
        with self._lock:
            self._made[name] = found
            while len(self._made) > self.most:
                self._made.popitem(last=False)
        return found

    def peek(self, name: Hashable) -> Any:
        """What is kept under a name, or None."""
        with self._lock:
            return self._made.get(name)


def _made(mine: _Making, make: Callable[[], T]) -> T:
    """Make it; who asked first may leave, while others still wait."""
    told = listener()

    def heard(share: float) -> None:
        mine.share = share
        try:
            if told is not None:
                told(share)
        except LeftError:
            if mine.asked < 2:
                raise

    with hearing(heard):
        return make()
