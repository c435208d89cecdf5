"""Every state that a task of one player can reach, and how: chance included, cycles allowed."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import (
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnknownStateError,
    UnsuitableTaskError,
)
from ...core.objective import Objective
from ...core.task import State, Task, batch_size

_CHUNKS = (1 << 6, 1 << 11)
"""States expanded in one compiled call: one size for few, one for many."""
_DRAWN = 64
_EDGES = 16
"""How many listed outcomes there may be for each state that there may be."""

TellApart = Callable[[State], Int[Array, " words"]]


@dataclasses.dataclass(eq=False, repr=False)
class Reached:
    """The states in the order in which they were found, and what every action leads to.

    `to` holds rows of states, -1 where an action is illegal or an outcome mere padding (then
    `chances` is 0). `starts` are rows too, `probable` how likely each is. `observations` are what
    is seen in each state, empty where that is all.
    """

    task: Task
    states: State
    terminal: Bool[np.ndarray, " states"]
    legal: Bool[np.ndarray, "states actions"]
    observations: Float[np.ndarray, "states ..."]
    to: Int[np.ndarray, "states actions outcomes"]
    chances: Float[np.ndarray, "states actions outcomes"]
    starts: Int[np.ndarray, " starts"]
    probable: Float[np.ndarray, " starts"]
    tell_apart: TellApart
    _rows: dict[bytes, int]

    def __repr__(self) -> str:
        return f"Reached({self.task!r}, states={len(self)}, transitions={self.transitions})"

    def __len__(self) -> int:
        return len(self.terminal)

    @property
    def transitions(self) -> int:
        """How many outcomes of legal actions there are in all."""
        return int((self.to >= 0).sum())

    def rewards(self, objective: Objective) -> Float[np.ndarray, "states actions outcomes"]:
        """What the player gets by each transition; 0 where there is none.

        Raises `NonFiniteError`.
        """
        found = np.zeros(self.to.shape)
        edges = np.argwhere(self.to >= 0)
        for part in _chunks(edges):
            s, a, k = part.T
            before, after = (self._padded(rows) for rows in (s, self.to[s, a, k]))
            action = np.resize(a, len(jax.tree.leaves(before)[0])).astype(np.int32)
            gained = np.asarray(_rewards(objective, before, jnp.asarray(action), after))[:, 0]
            found[s, a, k] = gained[: len(part)]
        if not np.isfinite(found).all():
            raise NonFiniteError(
                f"The objective gave NaN or infinity in {self.task!r}, so no value follows from "
                "it. Check its rewards on legal transitions."
            )
        return found

    def find(self, states: State) -> Int[np.ndarray, " batch"]:
        """The row of each state of a batch, -1 where it was not reached."""
        return np.array([self._rows.get(p, -1) for p in prints_of(self.tell_apart, states)], int)

    def find_all(self, states: State) -> Int[np.ndarray, " batch"]:
        """The row of each state of a batch. Raises `UnknownStateError` where there is none."""
        rows = self.find(states)
        if (rows < 0).any():
            row = int(np.argmax(rows < 0))
            raise UnknownStateError(
                f"Row {row} cannot be reached from the states that {self!r} starts from, so its "
                "value is not known here. Enumerate from it: give it as `start`.\n"
                + self.task.render(jax.tree.map(lambda x: x[row], states))
            )
        return rows

    def _padded(self, rows: np.ndarray) -> State:
        return jax.tree.map(lambda x: x[np.resize(rows, _room(len(rows)))], self.states)


def enumerate_states(
    task: Task,
    *,
    start: State | None = None,
    tell_apart: TellApart | None = None,
    max_states: int = 1_000_000,
) -> Reached:
    """List all that a discrete task of one player can reach, whatever is done and happens.

    Chance must be listed (`Task.outcomes`). `start` is a batch of first states, equally probable;
    by default those of `task.starts()`, or where the task does not list them those that
    `task.init` gives for 64 keys. States are one where `tell_apart` (`task.fingerprint`) gives
    equal integers: leave the clock out to plan for an episode without end. The first found then
    stands for all, so the horizon must be longer than the way to any state.

    Raises `UnsuitableTaskError`, `TooLargeError` (naming the size) and `NoLegalActionError`.
    """
    refuse_unsuitable(task)
    first, probable = first_states(task) if start is None else (start, None)
    probable = np.full(batch_size(first), 1 / batch_size(first)) if probable is None else probable
    apart = task.fingerprint if tell_apart is None else tell_apart
    found = _Finding(task, apart, max_states)
    starts = found.rows_of(first, *_facts_of(task, apart, first))
    done = 0
    while done < found.count:
        done = found.expand(done)
    rows, place = np.unique(starts, return_inverse=True)
    return found.reached(rows, np.bincount(place, probable, len(rows)))


def refuse_unsuitable(task: Task) -> None:
    """Refuse what cannot be enumerated."""
    traits = task.traits
    reasons = {
        f"has {traits.players} players": traits.players != 1,
        "is not discrete": not traits.discrete,
        "does not list its chance (traits.outcomes is 0)": not traits.deterministic
        and traits.outcomes == 0,
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsuitableTaskError(
                f"{task!r} {reason}; dynamic programming needs one player, actions that can be "
                "counted and outcomes that are listed. Search it instead."
            )


def first_states(task: Task) -> tuple[State, Float[np.ndarray, " starts"]]:
    """Those that the task lists, or as many as 64 keys give, each as often as it was drawn."""
    listed = task.starts()
    if listed is not None:
        return listed[0], np.asarray(listed[1], float)
    drawn = jax.vmap(task.init)(jax.random.split(jax.random.key(0), _DRAWN))
    return drawn, np.full(_DRAWN, 1 / _DRAWN)


class _Finding:
    """Grows breadth first: states are numbered as they are found, and expanded in that order."""

    def __init__(self, task: Task, apart: TellApart, max_states: int):
        self.task, self.apart, self.max_states = task, apart, max_states
        self.rows: dict[bytes, int] = {}
        self.parts: list[tuple] = []
        self.links: list[tuple[np.ndarray, np.ndarray]] = []
        self.edges = 0

    @property
    def count(self) -> int:
        return len(self.rows)

    def rows_of(self, states: State, facts: tuple, prints: np.ndarray) -> np.ndarray:
        """The numbers of some states; those met for the first time are kept."""
        words, where, inverse = np.unique(_keys(prints), return_index=True, return_inverse=True)
        known = [self.rows.get(w.tobytes(), -1) for w in words]
        fresh = np.flatnonzero(np.array(known) < 0)
        if len(fresh):
            if self.count + len(fresh) > self.max_states or self.edges > _EDGES * self.max_states:
                raise TooLargeError(
                    f"{self.task!r} reaches more than max_states={self.max_states:,} states (or "
                    f"{_EDGES} listed outcomes for each of them). Raise it, take a smaller task, "
                    "or search instead."
                )
            # In the order of their finding, so that nothing depends on how words sort.
            fresh = fresh[np.argsort(where[fresh])]
            for word in fresh:
                known[word] = self.count
                self.rows[words[word].tobytes()] = self.count
            take = where[fresh]
            self.parts.append(jax.tree.map(lambda x: np.asarray(x)[take], (states, facts)))
        return np.array(known)[inverse]

    def expand(self, done: int) -> int:
        """Expand all that were found but not yet expanded; says how many have been."""
        new = [p for p, first in zip(self.parts, self._offsets(), strict=True) if first >= done]
        states, facts = jax.tree.map(lambda *x: np.concatenate(x), *new)
        terminal, legal, _ = facts
        if (~terminal & ~legal.any(1)).any():
            row = int(np.argmax(~terminal & ~legal.any(1)))
            raise NoLegalActionError(
                "A reachable state is not terminal and has no legal action; the task must end the "
                "episode.\n" + self.task.render(jax.tree.map(lambda x: x[row], states))
            )
        for part in _chunks(np.arange(len(terminal))):
            here = jax.tree.map(lambda x, part=part: x[np.resize(part, _room(len(part)))], states)
            after, chances, after_facts, prints = jax.tree.map(
                np.asarray, _expand(self.task, self.apart, here)
            )
            real = (chances > 0) & (legal & ~terminal[:, None])[np.resize(part, len(chances))][
                ..., None
            ]
            real[len(part) :] = False
            self.edges += int(real.sum())
            to = np.full(chances.shape, -1, np.int32)
            if real.any():
                flat = jax.tree.map(lambda x, real=real: x[real], (after, after_facts, prints))
                to[real] = self.rows_of(*flat)
            self.links.append((to[: len(part)], np.where(real, chances, 0.0)[: len(part)]))
        return done + len(terminal)

    def _offsets(self) -> list[int]:
        sizes = [len(p[1][0]) for p in self.parts]
        return np.cumsum([0, *sizes])[:-1].tolist()

    def reached(self, starts: np.ndarray, probable: np.ndarray) -> Reached:
        """All that was found, in one piece."""
        states, (terminal, legal, seen) = jax.tree.map(lambda *x: np.concatenate(x), *self.parts)
        to, chances = (np.concatenate(x) for x in zip(*self.links, strict=True))
        # In double precision they sum to one again.
        chances = chances / np.maximum(chances.sum(-1, keepdims=True, dtype=float), 1e-30)
        return Reached(
            self.task, states, terminal, legal & ~terminal[:, None], seen, to,
            chances, starts, probable, self.apart, self.rows,
        )  # fmt: skip


def _keys(prints: np.ndarray) -> np.ndarray:
    """Rows of integers as single things that sort."""
    words = np.ascontiguousarray(prints.reshape(len(prints), -1).astype(np.int32))
    return words.view(np.dtype((np.void, words.shape[1] * 4)))[:, 0]


def prints_of(apart: TellApart, states: State) -> list[bytes]:
    """What tells each state of a batch apart."""
    batch = batch_size(states)
    padded = jax.tree.map(lambda x: np.resize(x, (_room(batch), *x.shape[1:])), states)
    prints = np.asarray(_apart(apart, padded))[:batch]
    return [word.tobytes() for word in _keys(prints)]


def _facts_of(task: Task, apart: TellApart, states: State) -> tuple:
    facts = _describe(task, apart, states)
    return jax.tree.map(np.asarray, facts)


def _room(count: int) -> int:
    small, large = _CHUNKS
    return small if count <= small else large if count <= large else 1 << (count - 1).bit_length()


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    size = _CHUNKS[0] if len(rows) <= _CHUNKS[0] else _CHUNKS[1]
    return [rows[i : i + size] for i in range(0, len(rows), size)]


@eqx.filter_jit
def _apart(apart: TellApart, states: State) -> Array:
    return jax.vmap(apart)(states)


def _look(task: Task, apart: TellApart, state: State) -> tuple[tuple, Array]:
    # What is seen matters only where that is not all.
    seen = jnp.zeros(0) if task.traits.fully_observable else task.observe(state)
    return (task.terminated(state), task.legal(state), seen), apart(state)


@eqx.filter_jit
def _describe(task: Task, apart: TellApart, states: State) -> tuple[tuple, Array]:
    return jax.vmap(lambda s: _look(task, apart, s))(states)


@eqx.filter_jit
def _expand(task: Task, apart: TellApart, states: State) -> tuple[State, Array, tuple, Array]:
    """Every outcome of every action of every state; the illegal ones are dropped on the host."""

    def act(state: State, action: Array):
        if task.traits.outcomes:
            after, chances = task.outcomes(state, action)
        else:
            after = task.advance(state, action, jax.random.key(0))
            after, chances = jax.tree.map(lambda x: x[None], after), jnp.ones(1)
        return after, chances, *jax.vmap(lambda s: _look(task, apart, s))(after)

    actions = jnp.arange(task.traits.actions, dtype=jnp.int32)
    return jax.vmap(jax.vmap(act, (None, 0)), (0, None))(states, actions)


@eqx.filter_jit
def _rewards(objective: Objective, before: State, action: Array, after: State) -> Array:
    return jax.vmap(lambda s, a, t: jnp.asarray(objective(s, a, t)))(before, action, after)
