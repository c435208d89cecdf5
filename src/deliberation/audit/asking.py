"""Asking a subject about states, in batches of one size, and looking at the form of its answers."""

import contextlib
import contextvars
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ..core.decider import Decider, Decision, check_finite
from ..core.errors import IllegalActionError, WrongKindError
from ..core.failures import text_of
from ..core.objective import Objective
from .exam import Exam
from .telling.waiting import check_time

BATCHES = (8, 64)
"""States that are asked about at a time, few or many; the last ones are filled up with copies."""


class Asked(NamedTuple):
    """That something was chosen in some states of an exam, told an objective (None: its own)."""

    exam: Exam
    rows: Int[np.ndarray, " n"]
    action: Int[np.ndarray, " n"]
    objective: Objective | None


_heard: contextvars.ContextVar[list[Asked] | None] = contextvars.ContextVar("heard", default=None)


@contextlib.contextmanager
def hearing() -> Iterator[list[Asked]]:
    """Keep everything that is asked inside, so that an answer can cite some of it."""
    heard: list[Asked] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


class Answers(NamedTuple):
    """What was chosen in each state, and the seconds that each batch took by our own clock."""

    action: Int[np.ndarray, " n"]
    seconds: Float[np.ndarray, " batches"]


def ask(
    decider: Decider,
    exam: Exam,
    rows: Int[np.ndarray, " n"],
    key: Key[Array, ""],
    *,
    objective: Objective | None = None,
    budget: int | None = None,
    size: int | None = None,
) -> Answers:
    """The decider's answers in some states of an exam; each state has a key of its own.

    They are asked about `size` at a time, few or many by their number where that is not said. The
    objective is the exam's where none is given (`Exam.told`). Memory begins anew with each
    batch. Raises `IllegalActionError` and `NonFiniteError` for answers that are none,
    `TooSlowError` where the time allowed is up (`at_most`), and whatever the decider raises.
    """
    size = size or next((few for few in BATCHES if len(rows) <= few), BATCHES[-1])
    # Whole batches of keys: a program for each number of rows would stay in memory.
    keys = jax.random.split(key, -(-len(rows) // size) * size)
    wanted = exam.told if objective is None else objective
    actions, seconds = [], []
    for first in range(0, len(rows), size):
        check_time(decider)
        some = np.resize(np.arange(first, min(first + size, len(rows))), size)
        states = exam.states(rows[some])
        began = time.perf_counter()
        decision, _ = decider.decide(
            states, decider.begin(size), objective=wanted, budget=budget, key=keys[some]
        )
        action = formed(decider, decision, size)
        seconds.append(time.perf_counter() - began)
        check_finite(text_of(decider), value=np.asarray(decision.value), action=action)
        actions.append(action[: min(size, len(rows) - first)].astype(int))
    found = np.concatenate(actions)
    legal = exam.legal[rows]
    within = (found >= 0) & (found < legal.shape[1])
    fine = within & legal[np.arange(len(rows)), np.where(within, found, 0)]
    if not fine.all():
        row = int(np.argmin(fine))
        raise IllegalActionError(
            f"{text_of(decider)} answered {found[row]} where the legal actions are "
            f"{np.flatnonzero(legal[row]).tolist()}."
        )
    if (heard := _heard.get()) is not None:
        heard.append(Asked(exam, rows, found, objective))
    return Answers(found, np.array(seconds))


def formed(decider: Decider, decision: Decision, size: int) -> Int[np.ndarray, " size"]:
    """The actions of a batch, once they are there. Raises `WrongKindError` where they are no whole
    numbers, one a state.
    """
    action = np.asarray(jax.block_until_ready(decision.action))
    if action.shape != (size,) or not np.issubdtype(action.dtype, np.integer):
        raise WrongKindError(
            f"{text_of(decider)} answered {action.dtype} of shape {action.shape} to {size} states: "
            "an action is a whole number, one for each."
        )
    if np.shape(decision.value) != (size,):
        raise WrongKindError(
            f"{text_of(decider)} gave a value of shape {np.shape(decision.value)} to {size} states."
        )
    return action
