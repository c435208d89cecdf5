"""Snapshots by the handle of their state, bounded in bytes: what is not here is played again."""

from collections import OrderedDict
from typing import Any

from .ways import Way


class Cache:
    """Keeps the snapshots used last, of at most so many bytes together."""

    def __init__(self, way: Way, most: int):
        self._way, self._most = way, most
        self._held: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def get(self, handle: bytes) -> Any:
        """The snapshot, or None."""
        found = self._held.get(handle)
        if found is None:
            return None
        self._held.move_to_end(handle)
        return found[0]

    def put(self, handle: bytes, snapshot: Any, size: int) -> None:
        """Keep a snapshot, unless it is None; the oldest ones go where there is no room."""
        if snapshot is None:
            return
        if handle in self._held:
            self.drop(handle)
        self._held[handle] = (snapshot, size)
        self.bytes += size
        while self.bytes > self._most and len(self._held) > 1:
            self.drop(next(iter(self._held)))

    def drop(self, handle: bytes) -> None:
        """Forget one."""
        snapshot, size = self._held.pop(handle)
        self.bytes -= size
        self._way.dropped(snapshot)
