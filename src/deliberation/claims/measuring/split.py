"""Positions to learn from apart from those to be tested on, up to the task's symmetries."""

import hashlib
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, UInt64

from ...amortised import random_positions
from ...core.errors import UnsuitableTaskError
from ...core.task import State, Task, batch_size

SHARE = 3
"""One class of positions in so many is kept for testing."""
DRAWN, ROUNDS, PATIENCE = 4096, 64, 8
"""Random positions drawn at a time, how often at most, and from when on a draw without any new
position is the last."""
PLENTY = 20_000
"""So many different positions count as any number of them."""


def held_out(task: Task, states: State) -> Bool[np.ndarray, " n"]:
    """Which states are for testing only: a third, chosen by what is observed in them.

    A state and its images under the task's symmetries go together, so that no learner that is
    taught on the others has met the same position turned round.
    """
    return classes(task, states) % SHARE == 0


def classes(task: Task, states: State) -> UInt64[np.ndarray, " n"]:
    """A number for each state, the same for its images under the task's symmetries.

    And for the same place at another time, where the clock is a part of the state (`time`): what is
    right there a step earlier says what is right now.
    """
    n = batch_size(states)
    # Filled up with copies to a power of two, so that few sizes are compiled.
    rows = np.resize(np.arange(n), 1 << max(n - 1, 1).bit_length())
    images = _images(task, take(states, rows))
    return np.stack([prints(np.asarray(image)[:n]) for image in images]).min(0)


@eqx.filter_jit
def _images(task: Task, states: State) -> list[Array]:
    """What is observed, and the same under each symmetry."""
    if hasattr(states, "time"):
        states = eqx.tree_at(lambda s: s.time, states, jnp.zeros_like(states.time))
    observed = jax.vmap(task.observe)(states)
    return [observed, *(jax.vmap(s.observation)(observed) for s in task.symmetries)]


def take(states: State, rows: Int[np.ndarray, " n"] | Bool[np.ndarray, " all"]) -> State:
    """Some of a batch of states; of those on the host without compiling anything."""
    return jax.tree.map(lambda x: x[rows], states)


def one_each(task: Task, states: State) -> Int[np.ndarray, " classes"]:
    """The rows of one state of each class, drawn: more of a class would be no more observations."""
    drawn = np.random.default_rng(0).permutation(batch_size(states))
    found = classes(task, take(states, drawn))
    return np.sort(drawn[np.unique(found, return_index=True)[1]])


def lessons(task: Task, count: int, key: Key[Array, ""]) -> State:
    """Random positions that nobody is tested on, as often as random play comes to them.

    Raises `UnsuitableTaskError` where there are none.
    """
    drawn = random_positions(task, count * SHARE // (SHARE - 1) + 16, key, distinct=False)
    rows = np.flatnonzero(~held_out(task, drawn))
    _refuse_none(task, len(rows))
    return take(drawn, np.resize(rows, count))


def different_lessons(task: Task, count: int, key: Key[Array, ""]) -> State:
    """At most `count` different positions that nobody is tested on, in the order of random play.

    One of each class: no other is its image, nor the same at another time. There may be fewer than
    asked for, where random play hardly ever comes to some. Raises `UnsuitableTaskError` where there
    are none.
    """
    found, known = [], np.zeros(0, np.uint64)
    for attempt in range(ROUNDS):
        drawn = random_positions(task, DRAWN, jax.random.fold_in(key, attempt), distinct=False)
        drawn = jax.tree.map(np.asarray, drawn)
        kinds = classes(task, drawn)
        first = np.sort(np.unique(kinds, return_index=True)[1])
        first = first[(kinds[first] % SHARE != 0) & ~np.isin(kinds[first], known)]
        found, known = [*found, take(drawn, first)], np.concatenate([known, kinds[first]])
        if len(known) >= count or (attempt >= PATIENCE and len(first) == 0):
            break
    _refuse_none(task, len(known))
    return jax.tree.map(lambda *x: np.concatenate(x)[:count], *found)


def teachable(task: Task) -> float:
    """How many different positions random play finds to teach; infinite from `PLENTY` on."""
    found = batch_size(different_lessons(task, PLENTY, jax.random.key(3)))
    return math.inf if found >= PLENTY else float(found)


def _refuse_none(task: Task, count: int) -> None:
    if count == 0:
        raise UnsuitableTaskError(
            f"All positions that random play met in {task!r} are kept for testing: it is too small "
            "for a claim about learning."
        )


def prints(observed: np.ndarray) -> np.ndarray:
    """A number for each observation, the same in every process."""
    rows = np.ascontiguousarray(observed.reshape(len(observed), -1).astype(np.float32))
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)
