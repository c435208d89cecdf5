"""Threads that take work in turn, for askers who may go away, and room that is taken in turn."""

import asyncio
import atexit
import contextlib
import functools
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from ..core.telling import EndedError, hearing
from .settings import RefusedError

T = TypeVar("T")
Watch = Callable[[float], None]
"""Is told, in the thread that works, what share is done."""
WAITING, PATIENCE = 64, 60.0
"""How many wait for room at a time, and for how many seconds each."""
LEAVE = 60.0
"""Seconds that the interpreter waits at its end for threads that compute."""
_begun: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_owners: weakref.WeakSet[Any] = weakref.WeakSet()


def begin(owner: Any, work: Callable[..., None], *given: Any, name: str) -> None:
    """A thread that nobody waits for, but at the interpreter's end for a while, once its owner is
    closed: one that is stopped in the midst of a compiled program takes the process down with it.
    """
    thread = threading.Thread(target=work, args=given, name=name, daemon=True)
    _begun.add(thread)
    _owners.add(owner)
    thread.start()


@atexit.register
def _leave() -> None:
    for owner in list(_owners):
        owner.close()
    end = time.monotonic() + LEAVE
    for thread in list(_begun):
        thread.join(max(0.0, end - time.monotonic()))


def ended() -> RefusedError:
    """What whoever still waits is told when the server ends."""
    return RefusedError("The playground has been ended.", 503)


class LeftError(EndedError):
    """Ends work that nobody waits for."""


class _Job:
    """A piece of work, and the future of whoever waits for it. `left`: nobody does any more."""

    def __init__(
        self,
        work: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        watch: Watch | None,
        of: str = "",
    ):
        self.work, self.loop, self.watch, self.left, self.of = work, loop, watch, False, of
        self.future: asyncio.Future[Any] = loop.create_future()

    def heard(self, share: float) -> None:
        """The work tells how far it is. Raises `LeftError` where nobody waits for it."""
        if self.left:
            raise LeftError
        if self.watch is not None:
            self.watch(share)

    def tell(self, result: Any, error: BaseException | None = None) -> None:
        """Settle the future from any thread; a loop that is closed hears nothing."""

        def settle() -> None:
            if self.future.done():
                return
            if error is None:
                self.future.set_result(result)
            elif isinstance(error, Exception) and not isinstance(error, StopIteration):
                self.future.set_exception(error)
            else:  # A future takes no other, and whoever waits would wait for ever.
                self.future.set_exception(RuntimeError(f"The work ended with {error!r}."))

        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(settle)


class Pool:
    """So many threads, which do not keep the program from ending.

    What waits and is asked for no more is dropped. What runs ends where it next tells how far it
    is (`core.telling`: trainings after each update, an exact solution as it lists states). Until
    then a spare thread, up to `spare` of them, takes its place, so that nobody waits for what
    nobody wants. `rested` is called in a thread that has done a piece of work.
    """

    def __init__(
        self, name: str, threads: int, *, spare: int = 0, newest_first: bool = False,
        rested: Callable[[], None] = lambda: None,
    ):  # fmt: skip
        self._name, self._most, self._spare, self._newest = name, threads, spare, newest_first
        self._turn = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._threads, self._rested = 0, rested
        self._closed = False

    async def run(
        self, work: Callable[..., T], *given: Any, watch: Watch | None = None, of: str = ""
    ) -> T:
        """What the work gives, once it had its turn. Raises `RefusedError` after `close`.

        Of what is said to be `of` different things, that comes first of which least is running,
        and one thread is kept from all that is of one thing.
        """
        job = _Job(functools.partial(work, *given), asyncio.get_running_loop(), watch, of)
        with self._turn:
            if self._closed:
                raise ended()
            self._waiting.append(job)
            self._grow()
            self._turn.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            self._leave(job)
            raise

    @property
    def busy(self) -> bool:
        """Whether anything is worked on, or waits for it."""
        return bool(self._running or self._waiting)

    def close(self) -> None:
        """Take no more work; whoever waits is told so, whether it has begun or not."""
        with self._turn:
            self._closed = True
            jobs = [*self._waiting, *self._running]
            self._waiting.clear()
            self._turn.notify_all()
        for job in jobs:
            job.tell(None, ended())

    def _leave(self, job: _Job) -> None:
        with self._turn:
            job.left = True
            if job in self._waiting:
                self._waiting.remove(job)
            self._grow()

    def _grow(self) -> None:
        """A further thread, where one is missing. Under the lock."""
        idle = self._threads - len(self._running)
        if len(self._waiting) > idle and self._threads < self._allowed():
            self._threads += 1
            begin(self, self._work, name=self._name)

    def _allowed(self) -> int:
        return self._most + min(self._spare, sum(job.left for job in self._running))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                with hearing(job.heard):
                    result = job.work()
            except BaseException as error:
                job.tell(None, error)
            else:
                job.tell(result)
                del result
            with self._turn:
                self._running.discard(job)
            del job
            self._rested()

    def _next(self) -> _Job | None:
        """The next piece of work; None: this thread is one too many."""
        with self._turn:
            while not self._closed and self._threads <= self._allowed():
                job = self._chosen()
                if job is not None:
                    self._waiting.remove(job)
                    self._running.add(job)
                    return job
                self._turn.wait()
            self._threads -= 1
            self._turn.notify()  # Whatever this one was woken for is another's.
            return None

    def _chosen(self) -> _Job | None:
        """Which of those that wait comes next. Under the lock."""
        busy = Counter(job.of for job in self._running)
        most = self._allowed() - 1
        order = reversed(self._waiting) if self._newest else self._waiting
        may = [job for job in order if not job.of or most < 1 or busy[job.of] < most]
        return min(may, key=lambda job: busy[job.of] if job.of else 0, default=None)


class Room:
    """An amount that all share: who does not fit in waits, or is turned away."""

    def __init__(self, most: int):
        self.most, self.used = most, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold so much. Raises `RefusedError` where too many wait, or one waited too long."""
        size = min(size, self.most)
        if self.used + size > self.most:
            await self._turn(size)
        else:
            self.used += size
        try:
            yield
        finally:
            self._give_back(size)

    async def _turn(self, size: int) -> None:
        busy = RefusedError("Too many searches are going on: ask again in a while.", 503)
        if len(self._waiting) >= WAITING:
            raise busy
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, mine))
        try:
            await asyncio.wait_for(asyncio.shield(mine), PATIENCE)
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                self._give_back(size)
            else:
                self._waiting.remove((size, mine))
            if isinstance(error, TimeoutError):
                raise busy from error
            raise

    def _give_back(self, size: int) -> None:
        self.used -= size
        while self._waiting and self.used + self._waiting[0][0] <= self.most:
            size, first = self._waiting.popleft()
            self.used += size
            first.set_result(None)
