"""How far a long computation is, for whoever waits for it.

Trainings tell after every update what share of them is done, and whoever called them hears it
inside of `hearing`, however deep between them they were called. Nothing else depends on it: who
listens may end the computation by raising `EndedError`, as where nobody waits for it any more.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any


class EndedError(BaseException):
    """Ends work from outside; no work takes it for an error of its own."""


Hear = Callable[[float], None]
Check = Callable[[], None]
_CHECKS: ContextVar[Check | None] = ContextVar("checks", default=None)
_HEARS: ContextVar[Hear | None] = ContextVar("hears", default=None)


@contextlib.contextmanager
def _known(where: ContextVar[Any], value: Any) -> Iterator[None]:
    before = where.set(value)
    try:
        yield
    finally:
        where.reset(before)


def hearing(hear: Hear) -> contextlib.AbstractContextManager[None]:
    """Hand the shares that are told inside, from 0 to 1, to a function."""
    return _known(_HEARS, hear)


def listener() -> Hear | None:
    """Who listens here, so that whoever listens in between can pass on what is told."""
    return _HEARS.get()


def tell(share: float) -> None:
    """So much is done, from 0 to 1; nothing happens where nobody listens."""
    hear = _HEARS.get()
    if hear is not None:
        hear(min(max(share, 0.0), 1.0))


def ended_by(check: Check) -> contextlib.AbstractContextManager[None]:
    """Computations inside that may take very long end where this raises, as it does where time is
    up.
    """
    return _known(_CHECKS, check)


def go_on() -> None:
    """Asked now and then by what may take very long; raises where it is to end."""
    check = _CHECKS.get()
    if check is not None:
        check()
