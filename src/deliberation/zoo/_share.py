"""How much of a cell is done: first making the decider, then playing it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..core.telling import hearing

_MAKING = 0.8
"""The part of a cell that is set aside for a training, where one tells how far it is."""
_STEP = 0.002
"""Smaller changes are not worth a file."""


class Share:
    """What has been told of a cell; it only grows.

    A training that tells how far it is fills the first four fifths of the cell; of several in
    turn, the one that is furthest counts. The plays that follow share the rest evenly; where no
    training told anything, they share the whole.
    """

    def __init__(self, tell: Callable[[float], None]):
        self._tell, self._plays, self._played = tell, 1, 0
        self._trained = self._told = 0.0

    @contextmanager
    def making(self) -> Iterator[None]:
        """Hear the trainings inside."""
        with hearing(self._train):
            yield

    def expect(self, plays: int) -> None:
        """How many plays there will be."""
        self._plays = plays

    def play(self, share: float) -> None:
        """So much of the present play is done."""
        if self._trained:
            self._trained = 1.0
        self._say(self._played + min(share, 1.0))

    def played(self) -> None:
        """One more play is done."""
        self._played += 1
        self.play(0.0)

    def _train(self, share: float) -> None:
        self._trained = max(self._trained, share)
        self._say(0.0)

    def _say(self, plays: float) -> None:
        first = _MAKING if self._trained else 0.0
        share = first * self._trained + (1 - first) * plays / self._plays
        if share >= self._told + _STEP:
            self._told = share
            self._tell(min(share, 1.0))
