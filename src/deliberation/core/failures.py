"""Errors raised by foreign code inside of a compiled program, raised again as what they were.

XLA turns whatever a host callback raises into an error of its own, of which only text is left.
`calling_out` remembers the original, and `as_raised` raises it at the doors that users knock at:
`rollout`, `decide`, `check_task`, `Task.step`. Elsewhere XLA's error arrives, with the same text.

A stranger's code may raise what is no `Exception`, too (`SystemExit`, `asyncio.CancelledError`, the
panic of a library in Rust). Whoever goes on without it catches all, once `PASSING` has passed.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import DeliberationError
from .telling import EndedError

Function = TypeVar("Function", bound=Callable[..., Any])
PASSING = (KeyboardInterrupt, EndedError)
"""What ends work from outside, and is never a fault of the code that it met."""
_RAISED: list[DeliberationError] = []
"""What callbacks raised and no door has raised again yet; the last is the one of interest."""


@contextmanager
def calling_out() -> Iterator[None]:
    """Remember an error of this library that leaves a host callback."""
    try:
        yield
    except DeliberationError as error:
        _RAISED[:] = [error]
        raise


def text_of(thing: Any, by: Callable[[Any], str] = repr) -> str:
    """A stranger's object in words, as `repr` or `str` gives them; the name of its type where that
    raises.
    """
    try:
        return by(thing)
    except PASSING:
        raise
    except BaseException:
        return type(thing).__name__


def in_words(error: BaseException) -> str:
    """The type of an error, and what it says where it says anything."""
    kind, said = type(error).__name__, text_of(error, str)
    return kind if said in ("", kind) else f"{kind}: {said}"


def as_raised(function: Function) -> Function:
    """A function out of which errors of host callbacks come as they were raised."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except DeliberationError:
            raise
        except Exception as error:
            if not _RAISED or str(_RAISED[-1]) not in text_of(error, str):
                raise
            raise _RAISED.pop() from None

    return call  # type: ignore[return-value]
