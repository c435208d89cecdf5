"""Who uses an environment now: several tasks may be made of one object, and take turns in it."""

import threading
import weakref
from typing import Any


class Seat:
    """A lock for one environment, and a mark of who used it last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._holder: weakref.ref[Any] | None = None

    def taken(self, by: Any) -> bool:
        """Whether somebody else has used the environment since; the seat is `by`'s from now on."""
        other = self._holder is None or self._holder() is not by
        self._holder = weakref.ref(by)
        return other


_SEATS: dict[int, tuple[weakref.ref[Any], Seat]] = {}
"""By the identity of the innermost environment; wrappers around one share its seat."""


def seat_of(env: Any) -> Seat:
    """The seat of an environment, the same for all that wrap it."""
    inner = env.unwrapped
    known = _SEATS.get(id(inner))
    if known is None or known[0]() is not inner:
        for key in [key for key, (there, _) in _SEATS.items() if there() is None]:
            del _SEATS[key]
        known = _SEATS[id(inner)] = weakref.ref(inner), Seat()
    return known[1]
