"""Expectimax over beliefs: what can be done, what can then be seen, and what is then known.

A belief is a finite distribution over pairs of a world and a state of it. Beliefs are grown layer
by layer, equal ones of a layer being one, and valued backwards (Åström 1965; Kaelbling, Littman and
Cassandra 1998; over several worlds it is AIXI's mixture, with a finite class: Hutter 2005).
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import NonFiniteError, UnsuitableTaskError
from ...core.objective import Objective
from ...core.task import State, Task

_DIGITS = 10
"""Beliefs that agree to so many decimals are one."""
_LEAST_ROWS = 16


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
    """The layers, first the root's own, with what they cost."""

    layers: list[Layer]
    beliefs: int
    steps: int


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


class _Ahead(NamedTuple):
    """Everything that can follow some states: [states, actions, outcomes, ...]."""

    states: State
    chances: np.ndarray
    rewards: np.ndarray
    sights: np.ndarray
    prints: np.ndarray


@eqx.filter_jit
def _look_ahead(task: Task, objective: Objective, states: State) -> tuple:
    def one(state: State, action: Array) -> tuple:
        if task.traits.outcomes > 0:
            after, chances = task.outcomes(state, action)
        else:
            after = task.advance(state, action, jax.random.key(0))
            after, chances = jax.tree.map(lambda x: x[None], after), jnp.ones(1)
        rewards = jax.vmap(objective, (None, None, 0))(state, action, after)[:, 0]
        sights = jax.vmap(lambda s: sight(task, s))(after)
        return after, chances, rewards, sights, jax.vmap(task.fingerprint)(after)

    actions = jnp.arange(task.traits.actions)
    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(states, actions)


def look_ahead(task: Task, objective: Objective, states: State) -> _Ahead:
    """What follows each of some states by each action, legal or not; on the host."""
    n = len(jax.tree.leaves(states)[0])
    room = _LEAST_ROWS
    while room < n:
        room *= 4
    padded = jax.tree.map(lambda x: np.resize(np.asarray(x), (room, *np.shape(x)[1:])), states)
    found = _look_ahead(task, objective, padded)
    return _Ahead(*jax.tree.map(lambda x: np.asarray(x)[:n], found))


def grow(
    worlds: Sequence[Task],
    objectives: Sequence[Objective],
    roots: Sequence[Particles],
    legal: Bool[np.ndarray, "1 actions"],
    depth: int,
    most_beliefs: int,
    most_steps: int,
) -> Grown:
    """Grow the tree of a root belief layer by layer, a layer wholly or not at all.

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
    return Grown(layers, beliefs, steps)


def valued(grown: Grown, discount: float) -> Float[np.ndarray, " actions"]:
    """The value of each action at the root; minus infinity where illegal.

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
    return q[0]


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
        if len(now.chances):
            ahead = look_ahead(world, objectives[number], now.states)
            rows, states[number] = _rows(number, now, ahead, legal, gains)
            parts.append(rows)
    rows = _joined(parts)
    rows = rows.take(rows.sights[:, actions] == 0)
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


def _rows(
    number: int, now: Particles, ahead: _Ahead, legal: np.ndarray, gains: np.ndarray
) -> tuple[_Rows, State]:
    """What follows in one world, and the states it leads to; adds to what each action earns."""
    weight = now.chances[:, None, None] * ahead.chances * legal[now.belief][:, :, None]
    at = np.nonzero(weight > 0)
    parent, weight = now.belief[at[0]], weight[at].astype(float)
    if not np.isfinite(ahead.rewards[at]).all():
        raise NonFiniteError("The objective gave NaN or infinity for an action under a belief.")
    np.add.at(gains, (parent, at[1]), weight * ahead.rewards[at])
    world, row = np.full(len(weight), number), np.arange(len(weight))
    rows = _Rows(world, row, parent, at[1], weight, ahead.sights[at], ahead.prints[at])
    return rows, jax.tree.map(lambda x: x[at], ahead.states)


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
