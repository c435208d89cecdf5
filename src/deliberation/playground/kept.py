"""Things that are dear to make: the last so many are kept, whoever asks."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


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
            try:
                found = self.peek(name)
                return self._keep(name, make() if found is None else found)
            finally:
                with self._lock:
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
