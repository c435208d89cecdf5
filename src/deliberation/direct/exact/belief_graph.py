"""Beliefs: what can be done, what can then be seen, and what is then known; valued backwards.

A belief is a finite distribution over pairs of a world and a state of it: all that a player can
know from what it saw and did. Beliefs are listed layer by layer, equal ones of a layer being one,
and valued from the end by dynamic programming (Åström 1965; Kaelbling, Littman and Cassandra 1998;
over several worlds it is AIXI's mixture, with a finite class: Hutter 2005). What rewards would tell
is not used.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import NonFiniteError, TooLargeError, UnsuitableTaskError
from ...core.objective import Objective
from ...core.task import State, Task
from .expansion import Edges, described, expanded, refuse_dead_ends
from .states import Reached

_DIGITS = 10
"""Beliefs that agree to so many decimals are one."""
_UNBOUNDED = 1 << 62


@runtime_checkable
class Believed(Protocol):
    """A task that lists what may be the case, given all that the player has seen."""

    def beliefs(self, state: Any) -> tuple[Any, Float[Array, " states"]]:
        """States on a leading axis, and how probable each is; what pads has probability 0."""
        ...


class Particles(NamedTuple):
    """States of one world, the belief that each belongs to, and how probable it is there."""

    states: State
    belief: Int[np.ndarray, " n"]
    chances: Float[np.ndarray, " n"]


class Layer(NamedTuple):
    """Beliefs after so many actions: what each action earns at once, and where it leads.

    An edge goes from (parent, action) to a belief of the next layer with a probability; what ends
    the episode has no edge.
    """

    legal: Bool[np.ndarray, "beliefs actions"]
    gains: Float[np.ndarray, "beliefs actions"]
    parent: Int[np.ndarray, " edges"]
    action: Int[np.ndarray, " edges"]
    child: Int[np.ndarray, " edges"]
    chance: Float[np.ndarray, " edges"]


class Grown(NamedTuple):
    """The layers, first the roots' own, with what they cost, and how many beliefs are left open."""

    layers: list[Layer]
    beliefs: int
    steps: int
    open: int


def check_believable(task: Task) -> None:
    """Refuse tasks whose beliefs cannot be listed or searched."""
    traits = task.traits
    why = ""
    if traits.players != 1:
        why = f"has {traits.players} players; let opponents be part of the world"
    elif not traits.discrete:
        why = "has continuous actions, which cannot all be tried"
    elif not traits.deterministic and traits.outcomes == 0:
        why = "does not list the outcomes of an action; define `outcomes`"
    elif not traits.fully_observable and not isinstance(task, Believed):
        why = (
            "hides something and does not list what may be the case; define `beliefs(state)`, the "
            "states that `resample` draws and their probabilities"
        )
    if why:
        raise UnsuitableTaskError(f"{task!r} {why}, or search with HistorySearch.")


def listed(task: Task, state: State) -> tuple[State, Float[Array, " states"]]:
    """What may be the case, given all that the player has seen; pure and unbatched."""
    if isinstance(task, Believed):
        return task.beliefs(state)
    return jax.tree.map(lambda x: x[None], state), jnp.ones(1)


def sight(task: Task, state: State) -> Int[Array, " words"]:
    """All that the player sees of a state, as words: what may be done, the end, the observation."""
    seen = jnp.ravel(task.observe(state)).astype(jnp.float32) + 0.0
    words = jax.lax.bitcast_convert_type(seen, jnp.int32)
    flags = jnp.concatenate([task.legal(state), task.terminated(state)[None]])
    return jnp.concatenate([flags.astype(jnp.int32), words])


class _Facts(NamedTuple):
    """What is known of what follows: how it looks, and what tells it apart."""

    sights: Any
    prints: Any


def _look(task: Task, state: State) -> _Facts:
    return _Facts(sight(task, state), task.fingerprint(state))


def grow(
    worlds: Sequence[Task],
    objectives: Sequence[Objective],
    roots: Sequence[Particles],
    legal: Bool[np.ndarray, "roots actions"],
    depth: int,
    most_beliefs: int,
    most_steps: int,
) -> Grown:
    """List what follows some root beliefs layer by layer, a layer wholly or not at all.

    Ends after `depth` layers, where nothing follows, or before more than `most_beliefs` would be
    expanded or more than `most_steps` outcomes listed.
    """
    layers: list[Layer] = []
    particles, beliefs, steps = list(roots), 0, 0
    while len(layers) < depth and len(legal):
        rows = sum(len(p.chances) * max(1, w.traits.outcomes) for p, w in _both(particles, worlds))
        cost = rows * legal.shape[1]
        if beliefs + len(legal) > most_beliefs or steps + cost > most_steps:
            break
        beliefs, steps = beliefs + len(legal), steps + cost
        layer, particles, legal = _layer(worlds, objectives, particles, legal)
        layers.append(layer)
    return Grown(layers, beliefs, steps, len(legal))


def valued(grown: Grown, discount: float) -> Float[np.ndarray, "roots actions"]:
    """The value of each action at each root; minus infinity where illegal.

    Beyond the last layer nothing is expected.
    """
    values = np.zeros(0)
    q = np.zeros((0, 0))
    for layer in reversed(grown.layers):
        q = layer.gains.copy()
        if len(values):
            ahead = discount * layer.chance * values[layer.child]
            np.add.at(q, (layer.parent, layer.action), ahead)
        q = np.where(layer.legal, q, -np.inf)
        values = q.max(1)
    return q


@dataclass(frozen=True)
class Beliefs:
    """What the best player can get: from the start, and at its first decision.

    `firsts` has one entry for each first observation: its probability, the states (rows of
    `Reached`) that look so, and the value of each action, minus infinity where illegal.
    """

    value: float
    count: int
    firsts: tuple[tuple[float, Int[np.ndarray, " _"], Float[np.ndarray, " actions"]], ...]


def belief_return(
    reached: Reached, objective: Objective | None = None, *, max_beliefs: int = 100_000
) -> float:
    """The expected return of the best player who remembers; see `solve_beliefs`."""
    return solve_beliefs(reached, objective, max_beliefs=max_beliefs).value


def solve_beliefs(
    reached: Reached, objective: Objective | None = None, *, max_beliefs: int = 100_000
) -> Beliefs:
    """Value every belief that the best player of an enumerated task can come to.

    The clock must be part of the states. Raises `TooLargeError` over `max_beliefs`, and
    `UnsuitableTaskError` where play goes on after the horizon.
    """
    task = reached.task
    objective = task.objective if objective is None else objective
    live = ~reached.terminal[reached.starts] & (reached.probable > 0)
    rows, chances = reached.starts[live], reached.probable[live]
    if not len(rows):
        return Beliefs(0.0, 0, ())
    states = jax.tree.map(lambda x: x[rows], reached.states)
    part = _numbered(described(task, states, _look).sights)
    mass = np.bincount(part, chances)
    first = np.unique(part, return_index=True)[1]
    root, depth = Particles(states, part, chances / mass[part]), task.traits.horizon
    legal = reached.legal[rows[first]]
    grown = grow([task], [objective], [root], legal, depth, max_beliefs, _UNBOUNDED)
    if grown.open and len(grown.layers) >= depth:
        raise UnsuitableTaskError(
            f"{task!r} goes on after its horizon: keep the clock in the states, so that beliefs "
            "can be valued backwards from the end."
        )
    if grown.open:
        raise TooLargeError(
            f"{task!r} leads to more than max_beliefs={max_beliefs:,} beliefs. Raise it, take a "
            "smaller task, or search instead (HistorySearch)."
        )
    q = valued(grown, float(objective.discount))
    shown = tuple((float(p), rows[part == k], q[k]) for k, p in enumerate(mass))
    return Beliefs(float(mass @ q.max(1)), grown.beliefs, shown)


def _both(particles: Sequence[Particles], worlds: Sequence[Task]) -> zip:
    return zip(particles, worlds, strict=True)


class _Rows(NamedTuple):
    """What can follow from the particles of a layer, one row for each outcome of each action."""

    world: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]
    parent: Int[np.ndarray, " n"]
    action: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    sights: Int[np.ndarray, "n words"]
    prints: Int[np.ndarray, "n words2"]

    def take(self, rows: np.ndarray) -> "_Rows":
        """Some of the rows."""
        return _Rows(*(x[rows] for x in self))


def _layer(
    worlds: Sequence[Task],
    objectives: Sequence[Objective],
    particles: Sequence[Particles],
    legal: Bool[np.ndarray, "beliefs actions"],
) -> tuple[Layer, list[Particles], Bool[np.ndarray, "next actions"]]:
    """Expand every belief of a layer; returns it, and the next one's beliefs."""
    gains, actions = np.zeros(legal.shape), legal.shape[1]
    parts: list[_Rows] = []
    states: list[State] = []
    for number, (now, world) in enumerate(_both(particles, worlds)):
        states.append(now.states)
        ahead = expanded(world, now.states, legal[now.belief], objectives[number], _look)
        if ahead is not None:
            parts.append(_rows(number, now, ahead, gains))
            states[number] = ahead.states
    rows = _joined(parts)
    # What is seen only where something impossible is the case is never seen.
    rows = rows.take((rows.sights[:, actions] == 0) & (rows.weight > 0))
    _refuse_dead_ends(worlds, states, rows, actions)
    edges, member, belief, chance, count = _group(rows)
    after = [
        Particles(
            jax.tree.map(lambda x, i=rows.row[member[mine]]: x[i], states[number]),
            belief[mine],
            chance[mine],
        )
        for number in range(len(worlds))
        for mine in (rows.world[member] == number,)
    ]
    allowed = np.zeros((count, actions), bool)
    allowed[belief] = rows.sights[member, :actions] > 0
    return Layer(legal, gains, *edges), after, allowed


def _refuse_dead_ends(
    worlds: Sequence[Task], states: Sequence[State], rows: _Rows, actions: int
) -> None:
    stuck = ~(rows.sights[:, :actions] > 0).any(1)
    if stuck.any():
        row = int(np.argmax(stuck))
        world, found = worlds[rows.world[row]], states[rows.world[row]]
        one = jax.tree.map(lambda x: x[rows.row[row]][None], found)
        refuse_dead_ends(world, one, np.zeros(1, bool), np.zeros((1, actions), bool))


def _rows(number: int, now: Particles, ahead: Edges, gains: np.ndarray) -> _Rows:
    """What follows in one world; adds to what each action earns."""
    if not np.isfinite(ahead.rewards).all():
        raise NonFiniteError("The objective gave NaN or infinity for an action under a belief.")
    parent = now.belief[ahead.parent]
    weight = now.chances[ahead.parent] * ahead.chance.astype(float)
    np.add.at(gains, (parent, ahead.action), weight * ahead.rewards[:, 0])
    world, row = np.full(len(weight), number), np.arange(len(weight))
    return _Rows(world, row, parent, ahead.action, weight, *ahead.facts)


def _joined(parts: list[_Rows]) -> _Rows:
    width = max(part.prints.shape[1] for part in parts)
    wide = [np.pad(x.prints, ((0, 0), (0, width - x.prints.shape[1]))) for x in parts]
    parts = [part._replace(prints=x) for part, x in zip(parts, wide, strict=True)]
    return _Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _group(rows: _Rows) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray, np.ndarray, int]:
    """Part what follows by what is seen, and number equal beliefs alike.

    Returns edges (parent, action, belief, probability), and of every belief the rows that are its
    particles, its number and their probabilities; and how many beliefs there are.
    """
    sight, state = _numbered(rows.sights), _numbered(np.column_stack([rows.world, rows.prints]))
    _, first, part = np.unique(
        np.column_stack([rows.parent, rows.action, sight]),
        axis=0, return_index=True, return_inverse=True,
    )  # fmt: skip
    part = part.reshape(-1)
    mass = np.bincount(part, rows.weight, len(first))
    keys, member, inverse = np.unique(
        np.column_stack([part, state]), axis=0, return_index=True, return_inverse=True
    )
    chance = np.bincount(inverse.reshape(-1), rows.weight, len(keys)) / mass[keys[:, 0]]
    bounds = np.searchsorted(keys[:, 0], np.arange(len(first) + 1))
    known: dict[tuple[bytes, bytes], int] = {}
    belief, kept = np.zeros(len(first), int), np.zeros(len(keys), bool)
    for k, (start, end) in enumerate(itertools.pairwise(bounds)):
        rounded = np.round(chance[start:end], _DIGITS) + 0.0
        name = (keys[start:end, 1].tobytes(), rounded.tobytes())
        kept[start:end] = name not in known
        belief[k] = known.setdefault(name, len(known))
    edges = (rows.parent[first], rows.action[first], belief, mass)
    return edges, member[kept], belief[keys[kept, 0]], chance[kept], len(known)


def _numbered(rows: np.ndarray) -> Int[np.ndarray, " n"]:
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
