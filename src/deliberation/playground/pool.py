"""Threads that take work in turn, for askers who may go away, and room that is taken in turn."""

import asyncio
import contextlib
import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from .settings import RefusedError

T = TypeVar("T")
WAITING, PATIENCE = 64, 60.0
"""How many wait for room at a time, and for how many seconds each."""


def ended() -> RefusedError:
    """What whoever still waits is told when the server ends."""
    return RefusedError("The playground has been ended.", 503)


class _Job:
    """A piece of work, and the future of whoever waits for it. `left`: nobody does any more."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop):
        self.work, self.loop, self.left = work, loop, False
        self.future: asyncio.Future[Any] = loop.create_future()

    def tell(self, result: Any, error: BaseException | None = None) -> None:
        """Settle the future from any thread; a loop that is closed hears nothing."""

        def settle() -> None:
            if self.future.done():
                return
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)

        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(settle)


class Pool:
    """So many threads, which do not keep the program from ending.

    What waits and is asked for no more is dropped. What runs cannot be stopped: a spare thread,
    up to `spare` of them, then takes its place, so that nobody waits for what nobody wants.
    """

    def __init__(self, name: str, threads: int, *, spare: int = 0, newest_first: bool = False):
        self._name, self._most, self._spare, self._newest = name, threads, spare, newest_first
        self._turn = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._threads = 0
        self._closed = False

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        """What the work gives, once it had its turn. Raises `RefusedError` after `close`."""
        job = _Job(functools.partial(work, *given), asyncio.get_running_loop())
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
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _allowed(self) -> int:
        return self._most + min(self._spare, sum(job.left for job in self._running))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                result = job.work()
            except BaseException as error:
                job.tell(None, error)
            else:
                job.tell(result)
                del result
            with self._turn:
                self._running.discard(job)
            del job

    def _next(self) -> _Job | None:
        """The next piece of work; None: this thread is one too many."""
        with self._turn:
            while not self._closed and self._threads <= self._allowed():
                if self._waiting:
                    job = self._waiting.pop() if self._newest else self._waiting.popleft()
                    self._running.add(job)
                    return job
                self._turn.wait()
            self._threads -= 1
            self._turn.notify()  # Whatever this one was woken for is another's.
            return None


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
