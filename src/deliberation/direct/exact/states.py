"""Every state that a task can reach, and how: chance included, cycles allowed."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import (
    TooLargeError,
    UnknownStateError,
    UnsuitableTaskError,
)
from ...core.host import on_host, with_keys
from ...core.objective import Objective
from ...core.task import State, Task, batch_size
from ...core.telling import tell
from .expansion import (
    compares,
    contents,
    described,
    expansions,
    player_zero,
    refuse_coarse,
    refuse_dead_ends,
)
from .starts import first_states

_KEPT = 4
_TWINS = 256
"""How many states are compared with the ones that stand for them."""
_EDGES = 16
"""How many listed outcomes there may be for each state that there may be."""

_PLAYERS = {1: "one player", 2: "at most two players"}

TellApart = Callable[[State], Int[Array, " words"]]


@dataclasses.dataclass(eq=False, repr=False)
class Reached:
    """The states in the order in which they were found, and what every action leads to.

    `to` holds rows of states, -1 where an action is illegal or an outcome mere padding (then
    `chances` is 0). `starts` are rows too, `probable` how likely each is. `observations` are what
    is seen in each state, empty where that is all. `sign` is 1 where player 0 moves and -1 where
    player 1 does, whose aim is the opposite.
    """

    task: Task
    states: State
    sign: Float[np.ndarray, " states"]
    terminal: Bool[np.ndarray, " states"]
    legal: Bool[np.ndarray, "states actions"]
    observations: Float[np.ndarray, "states ..."]
    to: Int[np.ndarray, "states actions outcomes"]
    chances: Float[np.ndarray, "states actions outcomes"]
    starts: Int[np.ndarray, " starts"]
    probable: Float[np.ndarray, " starts"]
    tell_apart: TellApart
    _rows: dict[bytes, int]
    _known: list[tuple[Objective, np.ndarray]]
    """Objectives whose rewards were looked up, and these."""
    _twins: tuple[np.ndarray, State] | None
    """Some states that are not quite the one which stands for them, and the rows of that one."""

    def __repr__(self) -> str:
        return f"Reached({self.task!r}, states={len(self)}, transitions={self.transitions})"

    def __len__(self) -> int:
        return len(self.terminal)

    @property
    def transitions(self) -> int:
        """How many outcomes of legal actions there are in all."""
        return int((self.to >= 0).sum())

    def rewards(self, objective: Objective) -> Float[np.ndarray, "states actions outcomes"]:
        """What player 0 gets by each transition; 0 where there is none.

        A transition earns what its own outcome earns, also where another state stands for that.
        Raises `NonFiniteError`, `UnsuitableTaskError` where two players' rewards do not cancel, and
        `ContractError` where a state earns something else than the one that stands for it: then
        `fingerprint` is too coarse for this objective.
        """
        found = next((x for of, x in self._known if _same(of, objective)), None)
        if found is None:
            found = np.zeros(self.to.shape)
            look = _Look(self.tell_apart)
            for part in expansions(self.task, self.states, self.legal, objective, look):
                at = (part.parent, part.action, part.outcome)
                found[at] = player_zero(self.task, part.rewards)
            self._known[:] = [(objective, found), *self._known[: _KEPT - 1]]
            if self._twins is not None:
                rows, twins = self._twins
                firsts = jax.tree.map(lambda x: x[rows], self.states)
                # Whoever says what to tell apart may leave out what decides the end.
                own = self.tell_apart == self.task.fingerprint
                refuse_coarse(self.task, objective, firsts, twins, rewards_only=not own)
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


def enumerate_states(
    task: Task,
    *,
    start: State | None = None,
    tell_apart: TellApart | None = None,
    max_states: int = 1_000_000,
) -> Reached:
    """List all that a discrete task can reach, whatever is done and happens: of one player, or of
    two with opposite aims.

    The rewards of the task's own objective are looked up on the way. Chance must be listed
    (`Task.outcomes`). `start` is a batch of first states, equally probable; by default those of
    `task.starts()`, or where the task does not list them those that `task.init` gives for 64 keys.
    States are one where `tell_apart` (`task.fingerprint`) gives equal integers: leave the clock out
    to plan for an episode without end. The first found then stands for all, so the horizon must be
    longer than the way to any state: where it is not, that is refused.

    Raises `UnsuitableTaskError`, `TooLargeError` (naming the size) and `NoLegalActionError`.
    """
    refuse_unsuitable(task, players=2)
    first, probable = first_states(task, start)
    apart = task.fingerprint if tell_apart is None else tell_apart
    found = _Finding(task, apart, max_states, tell_apart is not None or compares(task))
    first = on_host(first)
    starts = found.rows_of(first, described(task, first, found.look))
    done, ways, late = 0, 0, False
    while done < found.count:
        known, ways = len(found.parts), ways + 1
        done = found.expand(done)
        ended = any(facts.terminal.any() for _, facts in found.parts[known:])
        late = late or (ended and ways >= task.traits.horizon)
    if late and found.twins and tell_apart is not None:
        _refuse_short(task)
    rows, place = np.unique(starts, return_inverse=True)
    return found.reached(rows, np.bincount(place, probable, len(rows)))


def refuse_unsuitable(task: Task, players: int = 1) -> None:
    """Refuse what cannot be enumerated, or has more players."""
    traits = task.traits
    reasons = {
        f"has {traits.players} players": traits.players > players,
        "is not discrete": not traits.discrete,
        "does not list its chance (traits.outcomes is 0)": not traits.deterministic
        and traits.outcomes == 0,
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsuitableTaskError(
                f"{task!r} {reason}; dynamic programming needs {_PLAYERS[players]}, actions that "
                "can be counted and outcomes that are listed. Search it instead."
            )


def _refuse_short(task: Task) -> None:
    """Refuse states that stand for others and may have ended only because time was up."""
    raise UnsuitableTaskError(
        f"In {task!r} the way to some states is as long as the horizon ({task.traits.horizon}), "
        "and what was given as `tell_apart` does not keep apart all that differs: whether such a "
        "state ends by itself, or only because time was up, cannot be known. Take a longer "
        "horizon, or keep the clock in the state (tell_apart=None)."
    )


class _Facts(NamedTuple):
    """What is known of each state: who moves, the end, what is allowed, what is seen, what tells it
    apart.
    """

    player: Any
    terminal: Any
    legal: Any
    seen: Any
    prints: Any


class _Look(eqx.Module):
    """How a state is looked at; told apart by a function of it."""

    apart: TellApart

    def __call__(self, task: Task, state: State) -> _Facts:
        # What is seen matters only where that is not all.
        seen = jnp.zeros(0) if task.traits.fully_observable else task.observe(state)
        return _Facts(
            task.player(state), task.terminated(state), task.legal(state), seen, self.apart(state)
        )


class _Finding:
    """Grows breadth first: states are numbered as they are found, and expanded in that order."""

    def __init__(self, task: Task, apart: TellApart, max_states: int, compared: bool):
        self.task, self.max_states, self.compared = task, max_states, compared
        self.look = _Look(apart)
        self.rows: dict[bytes, int] = {}
        self.parts: list[tuple[State, _Facts]] = []
        self.links: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.held: list[int] = []
        self.twins: dict[int, State] = {}
        self.edges = 0

    @property
    def count(self) -> int:
        return len(self.rows)

    def rows_of(self, states: State, facts: _Facts) -> np.ndarray:
        """The numbers of some states; those met for the first time are kept."""
        words, where, inverse = np.unique(
            _keys(facts.prints), return_index=True, return_inverse=True
        )
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
        numbers = np.array(known)[inverse]
        if self.compared:
            self._compare(numbers, states)
        return numbers

    def _compare(self, numbers: np.ndarray, states: State) -> None:
        """Note states that differ from the ones which stand for them, to compare their rewards."""
        held = contents(states)
        fresh = np.flatnonzero(numbers >= len(self.held))
        first = fresh[np.unique(numbers[fresh], return_index=True)[1]]
        self.held.extend(held[first].tolist())
        other = np.flatnonzero(np.array(self.held, np.uint64)[numbers] != held)
        for place in other[: _TWINS - len(self.twins)].tolist():
            one = jax.tree.map(lambda x, place=place: np.asarray(x)[place], states)
            self.twins.setdefault(int(numbers[place]), one)

    def expand(self, done: int) -> int:
        """Expand all that were found but not yet expanded; says how many have been."""
        new = [p for p, first in zip(self.parts, self._offsets(), strict=True) if first >= done]
        states, facts = jax.tree.map(lambda *x: np.concatenate(x), *new)
        legal = facts.legal & ~facts.terminal[:, None]
        refuse_dead_ends(self.task, states, facts.terminal, legal)
        count, outcomes = len(legal), max(self.task.traits.outcomes, 1)
        to = np.full((*legal.shape, outcomes), -1, np.int32)
        chances, rewards = np.zeros(to.shape), np.zeros(to.shape)
        for part in expansions(self.task, states, legal, self.task.objective, self.look):
            tell(self.count / self.max_states)
            self.edges += len(part.parent)
            at = (part.parent, part.action, part.outcome)
            to[at] = self.rows_of(part.states, part.facts)
            chances[at], rewards[at] = part.chance, player_zero(self.task, part.rewards)
        self.links.append((to, chances, rewards))
        return done + count

    def _offsets(self) -> list[int]:
        sizes = [len(facts.terminal) for _, facts in self.parts]
        return np.cumsum([0, *sizes])[:-1].tolist()

    def reached(self, starts: np.ndarray, probable: np.ndarray) -> Reached:
        """All that was found, in one piece."""
        states, facts = jax.tree.map(lambda *x: np.concatenate(x), *self.parts)
        to, chances, rewards = (np.concatenate(x) for x in zip(*self.links, strict=True))
        twins, known = None, [(self.task.objective, rewards)]
        if self.twins:
            # The rewards count as unknown until they have been compared.
            alike = jax.tree.map(lambda *x: np.stack(x), *self.twins.values())
            twins, known = (np.array(list(self.twins)), alike), []
        return Reached(
            self.task, with_keys(states), 1.0 - 2.0 * facts.player, facts.terminal,
            facts.legal & ~facts.terminal[:, None], facts.seen, to, chances, starts, probable,
            self.look.apart, self.rows, known, twins,
        )  # fmt: skip


def _keys(prints: np.ndarray) -> np.ndarray:
    """Rows of integers as single things that sort."""
    words = np.ascontiguousarray(prints.reshape(len(prints), -1).astype(np.int32))
    return words.view(np.dtype((np.void, words.shape[1] * 4)))[:, 0]


def prints_of(apart: TellApart, states: State) -> list[bytes]:
    """What tells each state of a batch apart."""
    count = batch_size(states)
    room = 1 << max(count - 1, 0).bit_length()
    padded = jax.tree.map(lambda x: np.resize(x, (room, *x.shape[1:])), on_host(states))
    return [word.tobytes() for word in _keys(np.asarray(_apart(apart, padded))[:count])]


@eqx.filter_jit
def _apart(apart: TellApart, states: State) -> Array:
    return jax.vmap(apart)(with_keys(states))


def _same(one: Objective, other: Objective) -> bool:
    return one is other or bool(eqx.tree_equal(one, other))
