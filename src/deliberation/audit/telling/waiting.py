"""While one waits before the first answer: the time allowed, and lines on what goes on."""

import contextlib
import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator

from ...core.decider import Decider
from ...core.errors import TooSlowError
from ...core.failures import text_of
from ...core.telling import ended_by, hearing, listener

FIRST, EVERY = 2.0, 10.0
"""Seconds until somebody wonders what goes on, and between lines from then on."""
LATE = 5.0
"""Seconds after the time allowed at which it is said that a call has still not returned."""

_until: contextvars.ContextVar[float] = contextvars.ContextVar("until", default=float("inf"))
_say: contextvars.ContextVar[Callable[[str], None] | None]
_say = contextvars.ContextVar("say", default=None)


@contextlib.contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Asking within takes no longer than this: then it raises `TooSlowError`.

    Time is looked at between calls, and while exact values take many sweeps. A call that does not
    return cannot be ended from here: that it is still waited for is said on standard error.
    """
    end = float("inf") if seconds is None else time.monotonic() + seconds
    token, watchdog = _until.set(end), None
    if seconds is not None:
        watchdog = threading.Timer(min(seconds + LATE, threading.TIMEOUT_MAX), _still_waiting)
        watchdog.daemon = True
        watchdog.start()
    try:
        with ended_by(_check_sweeps):
            yield
    finally:
        if watchdog is not None:
            watchdog.cancel()
        _until.reset(token)


def _check_sweeps() -> None:
    if time_is_up():
        raise TooSlowError(
            "Exact values took longer than the time allowed. Allow more seconds, or give an "
            "objective with a lower discount, or a task with a shorter horizon."
        )


def _still_waiting() -> None:
    print(
        f"The time allowed was up {LATE:g} s ago: still waiting for a call of the subject, or of "
        "what is worked out from it, to return. Ctrl-C ends it.",
        file=sys.stderr, flush=True,
    )  # fmt: skip


@contextlib.contextmanager
def saying(say: Callable[[str], None] | None) -> Iterator[None]:
    """Lines on what goes on within are handed to a function; None: to nobody."""
    with contextlib.ExitStack() as after:
        after.callback(_say.reset, _say.set(say))
        yield


def time_is_up() -> bool:
    """Whether the time allowed is up."""
    return time.monotonic() > _until.get()


def check_time(decider: Decider) -> None:
    """Raise `TooSlowError` where the time allowed is up."""
    if time_is_up():
        raise TooSlowError(
            f"{text_of(decider)} took longer than the time allowed for a probe. Allow more "
            "seconds, or ask with less effort."
        )


class Pace:
    """Says now and then how much of something is done, and how long the rest takes at this pace.

    What was there before (`begun`) says nothing of that. `most`: so many there may be, and no more
    is known, so that nothing is said of how long it takes.
    """

    def __init__(self, doing: str, count: int, *, begun: int = 0, most: bool = False):
        self.doing, self.count, self.begun, self.most = doing, count, begun, most
        self.since = time.monotonic()
        self.next = self.since + FIRST

    def at(self, done: int) -> None:
        """So much is done."""
        now, say = time.monotonic(), _say.get()
        if say is not None and now >= self.next and done < self.count:
            self.next = now + EVERY
            say(self.line(done, now - self.since))

    def line(self, done: int, passed: float) -> str:
        """What is said of so much after so many seconds."""
        told = f"{self.doing}: {done:,} of {'at most ' * self.most}{self.count:,}"
        if self.most or done <= self.begun:
            return f"{told}, {passed:.0f} s so far"
        left = passed / (done - self.begun) * (self.count - done)
        return f"{told}, {left:.0f} s left"


@contextlib.contextmanager
def listing(doing: str, most: int) -> Iterator[None]:
    """Say how many of at most so many states are listed within."""
    pace, outer = Pace(doing, most, most=True), listener()

    def hear(share: float) -> None:
        pace.at(round(share * most))
        if outer is not None:
            outer(share)

    with hearing(hear):
        yield
