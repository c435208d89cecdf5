"""Some processes of one engine that answer questions, and are started again after a crash."""

import abc
import dataclasses
import os
import queue
import shlex
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from jaxtyping import Array

from ...core.errors import EngineError
from ...core.task import State
from .process import Child, Died


class Position(NamedTuple):
    """A game's state in the words of a protocol.

    `setup` are the commands that lead to it, `side` is the player to move ("w" or "b"), `moves` are
    the legal moves with the numbers of their actions, and `told` is the position for people.
    """

    setup: tuple[str, ...]
    side: str
    moves: Mapping[str, int]
    told: str


class Words(abc.ABC):
    """How the states of one kind of game are put into the words of an engine."""

    @abc.abstractmethod
    def position(self, legal: list[int], *facts: Any) -> Position:
        """One state, from the numbers of its legal actions and its facts; it calls no JAX."""

    @abc.abstractmethod
    def facts(self, state: State) -> tuple[Array, ...]:
        """Those arrays of a state (or of a batch) that the position is told from."""


class Asked(NamedTuple):
    """A position, and how long to look at it: `effort` by the engine's own dial (None: as it is
    set), `seconds` of wall time. `seed` is for engines whose chance can be set."""

    position: Position
    effort: int | None
    seconds: float | None
    seed: int


class Reply(NamedTuple):
    """The engine's move in its own words, what it expects for the player to move, and how many
    positions it looked at, by its own word."""

    move: str
    value: float
    nodes: int


class Talk:
    """A conversation with a running engine, whose errors say with whom and about what.

    `known` are the commands that it has said it knows.
    """

    def __init__(self, child: Child):
        self.child = child
        self.name = shlex.join(child.command)
        self.about = ""
        self.known = frozenset[str]()
        self._until = 0.0
        self._seconds = 0.0

    def wait(self, seconds: float) -> None:
        """From now on, wait so long for whatever comes."""
        self._until, self._seconds = time.monotonic() + seconds, seconds

    def say(self, *lines: str) -> None:
        """Send lines."""
        self.child.say(lines)

    def hear(self, what: str) -> str:
        """The next line; `what` is waited for. Raises `EngineError` when the time is up."""
        try:
            return self.child.hear(self._until)
        except TimeoutError:
            raise self.error(
                f"gave no {what} within {self._seconds:g} seconds and was killed. Give it more "
                "time (`timeout=`) or less to do (`budget=`)."
            ) from None

    def error(self, text: str) -> EngineError:
        """An error about this engine, with the position in question and its last words."""
        about = f" The position: {self.about}." if self.about else ""
        return EngineError(f"The engine {self.name} {text}{about} {self.child.tail()}")


class Protocol(abc.ABC):
    """A language of engines: how to greet one, and how to ask it for a move.

    `name` is the function that makes deciders of it, `farewell` tells an engine to end, `timed`
    says whether it can keep a limit of seconds, and `counted` whether it tells what it looks at.
    """

    name: str
    timed: bool
    counted: bool
    farewell: str = "quit"

    @abc.abstractmethod
    def greet(self, talk: Talk) -> None:
        """Make sure that it speaks the language, and set it up. Raises `EngineError`."""

    @abc.abstractmethod
    def ask(self, talk: Talk, asked: Asked) -> Reply:
        """Its move. Raises `EngineError`; `Died` passes through."""


@dataclasses.dataclass(eq=False)
class _Seat:
    """A place for one process."""

    talk: Talk | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class Crew:
    """`workers` processes of one engine; none outlives this object or the interpreter.

    One that dies is replaced, and asked the same once more. One that hangs is killed. After any
    error the next question starts a fresh process.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        protocol: Protocol,
        *,
        workers: int = 1,
        timeout: float | int = 60.0,
        start_timeout: float | int = 10.0,
    ):
        self.command, self.protocol = command, protocol
        self.workers, self.timeout, self.start_timeout = workers, timeout, start_timeout
        self._seats = [_Seat() for _ in range(workers)]
        self._end = weakref.finalize(self, _ended, self._seats, protocol.farewell)

    def __reduce__(self):
        return _again, (
            self.command, self.protocol, self.workers, self.timeout, self.start_timeout
        )  # fmt: skip

    def __repr__(self) -> str:
        return shlex.join((os.path.basename(self.command[0]), *self.command[1:]))

    def open(self) -> None:
        """Start the first process now, so that what is wrong with it is said at once."""
        with self._seats[0].lock:
            self._talk(self._seats[0])

    def close(self) -> None:
        """End all processes and wait for them; they start again where they are asked again."""
        _ended(self._seats, self.protocol.farewell)

    def pids(self) -> list[int]:
        """The processes that are running."""
        return [seat.talk.child.pid for seat in self._seats if seat.talk is not None]

    def answers(self, questions: Sequence[Asked]) -> list[Reply]:
        """A reply to each question, asked one after the other of each process."""
        if self.workers == 1 or len(questions) < 2:
            return [self._answer(self._seats[0], asked) for asked in questions]
        free: queue.SimpleQueue[_Seat] = queue.SimpleQueue()
        for seat in self._seats:
            free.put(seat)

        def one(asked: Asked) -> Reply:
            seat = free.get()
            try:
                return self._answer(seat, asked)
            finally:
                free.put(seat)

        with ThreadPoolExecutor(self.workers) as threads:
            return list(threads.map(one, questions))

    def _answer(self, seat: _Seat, asked: Asked) -> Reply:
        with seat.lock:
            try:
                for last in (False, True):
                    talk = self._talk(seat)
                    talk.about = asked.position.told
                    talk.wait(self.timeout + (asked.seconds or 0.0))
                    try:
                        return self.protocol.ask(talk, asked)
                    except Died:
                        if last:
                            raise talk.error("died twice over the same question.") from None
                        self._drop(seat)
                raise AssertionError
            except BaseException:  # it may yet answer, to what was asked before
                self._drop(seat)
                raise

    def _talk(self, seat: _Seat) -> Talk:
        """The conversation of a seat, begun anew where there is none."""
        if seat.talk is not None and seat.talk.child.owner == os.getpid():
            return seat.talk
        talk = seat.talk = Talk(Child(self.command))
        talk.wait(self.start_timeout)
        try:
            self.protocol.greet(talk)
        except Died:
            error = talk.error("ended before it could be asked anything.")
            self._drop(seat)
            raise error from None
        except BaseException:
            self._drop(seat)
            raise
        return talk

    def _drop(self, seat: _Seat) -> None:
        if seat.talk is not None:
            seat.talk.child.end(grace=0.0)
            seat.talk = None


def _again(
    command: tuple[str, ...], protocol: Protocol, workers: int, timeout: float, start: float
) -> Crew:
    return Crew(command, protocol, workers=workers, timeout=timeout, start_timeout=start)


def _ended(seats: Sequence[_Seat], farewell: str) -> None:
    for seat in seats:
        if seat.talk is not None:
            seat.talk.child.end(farewell)
            seat.talk = None
