"""Networks as they come about, and whose turn it is to be trained.

What somebody looks at now comes first, and of several such each has its turn of some seconds; what
nobody looks at waits, and ends where others need its place. A training is in a thread of its own
and gives way where it asks whether to go on. One that does not ask, in the midst of a slow
simulation, keeps nobody waiting: the next one begins beside it.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..adapters import HostPolicy
from ..amortised import NetworkPolicy
from ..core.budget import Budget
from ..core.decider import Decider
from .pool import LeftError, begin, ended

TURN = 3.0
"""Seconds of a turn, where others wait."""
BEGUN = 8
"""Trainings that are under way at a time, each with what it has learned from so far."""
PATIENCE = 15.0
"""Seconds after which nobody looks at what was not asked for again."""
_LOOK = 0.2
"""Seconds after which one that waits looks whether it is its turn."""
WAITING = "waiting for its turn"


class DroppedError(LeftError):
    """A training that ends unfinished."""


class Habit:
    """The network of one task as it comes about: `policy` is None until it is there."""

    def __init__(self, name: str):
        self.name = name
        self.policy: Decider | None = None
        self.kind = "network"
        self.budget: Budget | int | None = None
        self.about, self.refused = "", ""
        self.share, self.stage = 0.0, WAITING
        self.asked = 0.0
        """When it was asked for last, by `time.monotonic`."""
        self.looking, self.stopped = 0, False
        """How many wait for it, and whether the last of them had it stopped."""
        self.behind, self.since, self.had = "", 0.0, 0.0
        """The task whose turn it waits for, since when, and when its own turn began last."""
        self.wanted: Callable[..., bool] = lambda **how: True

    def go_on(self, *, waits: bool = True) -> None:
        """Wait for its turn. Raises `DroppedError` where its training is wanted no more.

        Without `waits` it only looks: whoever holds what others need, too, does not stand still.
        """
        if not self.wanted(waits=waits):
            raise DroppedError

    @property
    def settled(self) -> bool:
        """Whether nothing more will come of waiting."""
        return self.policy is not None or bool(self.refused)

    @property
    def told_goal(self) -> bool:
        """Whether it hears what is wanted; one of observations alone does not."""
        alone = isinstance(self.policy, NetworkPolicy | HostPolicy)
        return self.policy is not None and not alone

    @contextlib.contextmanager
    def waited_for(self, *, stops: bool = False) -> Iterator[None]:
        """Whoever waits does so inside; `stops`: the last one to leave ends the training."""
        self.looking += 1
        try:
            yield
        finally:
            self.looking -= 1
            self.stopped = stops and not self.looking and not self.settled

    def told(self) -> dict[str, Any]:
        """How far it is, for the page."""
        return {
            "ready": self.policy is not None, "about": self.about, "refused": self.refused,
            "share": self.share, "stage": self.doing(), "kind": self.kind,
        }  # fmt: skip

    def doing(self) -> str:
        """What it is at; where it waits, for whom and for how long already."""
        behind = self.behind
        if not behind or self.settled:
            return self.stage
        waited = f"waiting for its turn behind {behind}, for {time.monotonic() - self.since:.0f} s"
        return waited if self.stage == WAITING else f"{self.stage}; {waited}"


class Turns:
    """Has networks trained by `train(habit)`, which ends early where `habit.go_on` raises.

    `keeps(name)`: one that is quickly there waits on, whether anybody asks again or not.
    """

    def __init__(self, train: Callable[[Habit], None], keeps: Callable[[str], bool]):
        self._train, self._keeps = train, keeps
        self._turn = threading.Condition()
        self._asked: dict[str, Habit] = {}
        self._begun: dict[str, Habit] = {}
        self._holder: Habit | None = None
        self._closed = False

    def ask(self, habit: Habit) -> None:
        """Somebody asks for it, now or still. Raises `RefusedError` after `close`."""
        with self._turn:
            if self._closed:
                raise ended()
            habit.asked, habit.stopped = time.monotonic(), False
            if not habit.settled:
                self._asked[habit.name] = habit
            self._deal()

    def close(self) -> None:
        """Begin no more trainings, and end those under way where they next ask."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def _deal(self) -> None:
        """Say whose turn it is, and begin its training where that has not begun. Under the lock."""
        for name in [n for n, h in self._asked.items() if h.settled or self._left(h)]:
            del self._asked[name]
        now, before = time.monotonic(), self._holder
        self._holder = holder = None if self._closed else self._next(now)
        for habit in self._asked.values():
            if habit is not holder and holder is not None:
                habit.since = habit.since if habit.behind else now
                habit.behind = holder.name
        if holder is None or holder is before:
            return
        holder.had, holder.behind = now, ""
        self._turn.notify_all()
        if holder.name not in self._begun:
            self._begun[holder.name] = holder
            begin(self, self._work, holder, name="learn")

    def _next(self, now: float) -> Habit | None:
        """Of those looked at the one whose last turn is longest ago; else the last asked for."""
        looked = [habit for habit in self._asked.values() if habit.looking]
        pool = looked or list(self._asked.values())
        if len(self._begun) >= BEGUN:
            pool = [habit for habit in pool if habit.name in self._begun]
        if not pool:
            return None
        if self._holder in pool and now - self._holder.had < TURN:
            return self._holder
        if looked:
            return min(pool, key=lambda habit: habit.had)
        return max(pool, key=lambda habit: habit.asked)

    def _work(self, habit: Habit) -> None:
        habit.wanted = functools.partial(self._wanted, habit)
        try:
            self._train(habit)
        finally:
            with self._turn:
                self._begun.pop(habit.name, None)
                self._asked.pop(habit.name, None)
                self._deal()

    def _wanted(self, habit: Habit, *, waits: bool = True) -> bool:
        """Wait for its turn; whether its training is to go on then."""
        with self._turn:
            while not (self._closed or self._dropped(habit)):
                self._deal()
                if not waits or self._holder in (habit, None):
                    return True
                self._turn.wait(_LOOK)
            return False

    def _dropped(self, habit: Habit) -> bool:
        """Whether nobody looks at it, and its place is wanted. Under the lock."""
        if habit.stopped or habit.looking:
            return habit.stopped
        others = [other for other in self._asked.values() if other is not habit]
        waiting = any(h.looking and h.name not in self._begun for h in others)
        if waiting and len(self._begun) >= BEGUN:
            return True
        return _forgotten(habit) and any(h.looking or not _forgotten(h) for h in others)

    def _left(self, habit: Habit) -> bool:
        """Whether nobody waits any more for a training that has not begun. Under the lock."""
        begun = habit.name in self._begun or self._keeps(habit.name)
        return not begun and not habit.looking and _forgotten(habit)


def _forgotten(habit: Habit) -> bool:
    return time.monotonic() - habit.asked > PATIENCE
