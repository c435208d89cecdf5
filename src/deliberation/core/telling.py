"""How far a long computation is, for whoever waits for it.

Trainings tell after every update what share of them is done, and whoever called them hears it
inside of `hearing`, however deep between them they were called. Nothing else depends on it.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Hear = Callable[[float], None]
_HEARS: ContextVar[Hear | None] = ContextVar("hears", default=None)


@contextlib.contextmanager
def hearing(hear: Hear) -> Iterator[None]:
    """Hand the shares that are told inside, from 0 to 1, to a function."""
    before = _HEARS.set(hear)
    try:
        yield
    finally:
        _HEARS.reset(before)


def tell(share: float) -> None:
    """So much is done, from 0 to 1; nothing happens where nobody listens."""
    hear = _HEARS.get()
    if hear is not None:
        hear(min(max(share, 0.0), 1.0))
