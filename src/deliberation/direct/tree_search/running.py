"""A search that the host watches: it may end when time is up, or whenever the caller has enough.

Rounds are compiled to run in chunks. Only the host knows the time, so it looks at the clock between
chunks and sizes the next one by how long a round took.
"""

import time
from collections.abc import Hashable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ...core.budget import UNLIMITED
from ...core.decider import Decision
from ...core.task import State
from ..checks import check_sound, check_stuck
from . import pipeline as stages
from .engine import Outcome
from .limits import Limits
from .pipeline import Setting
from .reuse import Remembered

SHARE = 0.1
"""No chunk is meant to take more of a time limit than this, so it is missed by little."""
TRIAL = 0.05
"""After so much of it the pace is known, and rules that plan the root's simulations do so anew."""
_compiled: set[Hashable] = set()


class Order(eqx.Module):
    """What was asked for: where to search, how much, and what is remembered of it.

    `reserve` is how much room a remembered tree must leave (None: for the whole budget), `capacity`
    the room of the trees.
    """

    state: State
    limits: Limits
    keys: Key[Array, " batch"]
    memory: Remembered | None
    reserve: Int[Array, " batch"] | None
    capacity: int = eqx.field(static=True)


class Running:
    """A search under way, for so many seconds at most; they begin once everything is compiled."""

    def __init__(self, setting: Setting, order: Order, seconds: float | int | None = None):
        self.setting, self.order, self.seconds = setting, order, seconds
        self.started = time.perf_counter()
        if seconds is not None:
            self._compile()
        self.clock = time.perf_counter()
        self.outcome = self._begin()
        self.planned = seconds is None or self.outcome.schedule is None

    def finish(self) -> None:
        """Go on to the end, or until time is up."""
        if self.seconds is None:
            self._go(UNLIMITED)
        else:
            for _ in self.pauses():
                pass

    def pauses(self) -> Iterator[None]:
        """Go on to the end or until time is up, pausing after 1, 2, 4, 8... rounds."""
        rounds, total, more = 1, 0, True
        while more and rounds:
            before = time.perf_counter()
            more = self._go(rounds)
            pace, total = (time.perf_counter() - before) / rounds, total + rounds
            yield
            rounds = total if self.seconds is None else min(total, self._affordable(pace))

    def answer(self) -> Decision:
        """What the search would choose now; refused where it met something not finite."""
        decision, faults, stuck = stages.answered(self.setting, self.outcome)
        check_stuck(self.setting.task, stuck)
        check_sound(self.setting.evaluator, faults == 0, faults)
        seconds = jnp.full(faults.shape, (time.perf_counter() - self.started) / faults.shape[0])
        return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)

    def remember(self) -> Remembered | None:
        """The search as it stands, as the next one's memory; None where there is none."""
        if self.order.memory is None:
            return None
        return stages.remembered(self.setting, self.outcome, self.order.memory)

    def _begin(self) -> Outcome:
        o = self.order
        return stages.begun(
            self.setting, o.state, o.limits, o.keys, o.capacity, o.memory, o.reserve
        )

    def _go(self, rounds: int) -> bool:
        given = (self.setting, self.order.limits, jnp.int32(rounds))
        self.outcome, more = stages.grown(given, self.outcome)
        return bool(more)

    def _affordable(self, pace: float) -> int:
        """How many rounds of so many seconds the next chunk may have; 0: time is up."""
        assert self.seconds is not None
        left = self.clock + self.seconds - time.perf_counter()
        if left < pace:
            return 0
        if not self.planned and left < (1 - TRIAL) * self.seconds:
            self._plan(left)
        return max(1, int(min(left, SHARE * self.seconds) / pace))

    def _plan(self, left: float) -> None:
        """Let the rule plan the root's simulations for as many as can be expected."""
        assert self.seconds is not None
        # On the host throughout: the first use of an operation of JAX would take its time.
        taken = np.asarray(self.outcome.simulations)
        expected = taken.max() * left / (self.seconds - left)
        limits = self.order.limits
        most = np.minimum(limits.simulations, limits.model_steps) - taken
        budget = np.clip(expected, 1, np.maximum(most, 1)).astype(np.int32)
        self.outcome = stages.replanned((self.setting, jnp.asarray(budget)), self.outcome)
        self.planned = True

    def _compile(self) -> None:
        """Run every stage once, unless that has been done: it would eat into the time."""
        form = _form((self.setting, self.order))
        if form in _compiled:
            return
        self.outcome = self._begin()
        self._go(0)
        if self.outcome.schedule is not None:
            zero = jnp.zeros(self.outcome.seed.shape, jnp.int32)
            self.outcome = stages.replanned((self.setting, zero), self.outcome)
        self.answer()
        self.remember()
        _compiled.add(form)


def _form(given: Any) -> Hashable:
    """What a compiled program depends on: the structure, and shapes and types of arrays."""
    leaves, structure = jax.tree.flatten(given)
    return structure, tuple((x.shape, str(x.dtype)) if eqx.is_array(x) else x for x in leaves)
