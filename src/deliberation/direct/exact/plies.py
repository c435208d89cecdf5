"""List every state that a deterministic task can reach, ply by ply, within bounds on memory."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import (
    ContractError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnsuitableTaskError,
)
from ...core.objective import Objective
from ...core.task import State, Task, batch_size
from ..checks import check_deterministic
from .numbering import RowIndex

_CHUNKS = (1 << 8, 1 << 13)
"""States expanded in one compiled call: one size for small layers, one for large ones."""

_STARTS = 64


@dataclasses.dataclass(eq=False)
class Graph:
    """Every state of every layer, the layers one after another, `offsets` where each begins.

    A state that occurs after different numbers of actions is stored once in each such layer.
    `children` points to rows, -1 where an action is illegal; `rewards` are player 0's.
    """

    states: State
    fingerprints: Int[np.ndarray, "stored words"]
    terminal: Bool[np.ndarray, " stored"]
    player: Int[np.ndarray, " stored"]
    children: Int[np.ndarray, "stored actions"]
    rewards: Float[np.ndarray, "stored actions"]
    offsets: list[int]
    transitions: int


@dataclasses.dataclass
class _Layer:
    states: State
    fingerprints: np.ndarray
    terminal: np.ndarray
    player: np.ndarray
    legal: np.ndarray

    def take(self, rows: np.ndarray) -> "_Layer":
        parts = jax.tree.map(lambda x: x[rows], vars(self))
        return _Layer(**parts)

    def put(self, rows: slice, other: "_Layer") -> None:
        for mine, new in zip(*map(jax.tree.leaves, (vars(self), vars(other))), strict=True):
            mine[rows] = new


@dataclasses.dataclass
class _Bounds:
    """Keeps count, and refuses before the next allocation would pass a bound."""

    task: Task
    max_states: int
    max_bytes: int
    states: int = 0
    bytes: int = 0

    def admit(self, ply: int, states: int, size: int, kept: bool = True) -> None:
        """Ask for room for `states` states in `size` bytes; free it again unless `kept`."""
        total, room = self.states + states, self.bytes + size
        if total > self.max_states or room > self.max_bytes:
            raise TooLargeError(
                f"{self.task} is too large to solve exactly: ply {ply} would bring it to "
                f"{total:,} states and {room / 2**20:,.1f} MiB, over the bounds of "
                f"max_states={self.max_states:,} and max_bytes={self.max_bytes / 2**20:,.1f} MiB "
                f"(reached so far: {self.states:,} states, {self.bytes / 2**20:,.1f} MiB). "
                "Raise the bounds, take a smaller board, or search instead of solving."
            )
        if kept:
            self.states, self.bytes = total, room


def enumerate_task(
    task: Task, objective: Objective, start: State | None, max_states: int, max_bytes: int
) -> Graph:
    """Breadth first from `start` (or from `task.init`); see `solve` for the bounds and errors."""
    check_deterministic(
        task,
        "exact solving needs a deterministic, fully observable, discrete task of one or two "
        "players. Search it instead.",
    )
    bounds = _Bounds(task, max_states, max_bytes)
    if start is None:
        start = jax.vmap(task.init)(jax.random.split(jax.random.key(0), _STARTS))
    layer = _first_layer(task, start)
    layers, links, transitions = [], [], 0
    bounds.admit(0, len(layer.terminal), len(layer.terminal) * _stored_bytes(layer))
    for ply in range(task.traits.horizon + 1):
        if ply and not len(layer.terminal):
            break
        layers.append(layer)
        offset = bounds.states
        layer, children, rewards = _expand_layer(task, objective, layer, ply, bounds)
        links.append((np.where(children >= 0, children + offset, -1), rewards))
        transitions += int((children >= 0).sum())
    if len(layer.terminal):
        raise ContractError(
            f"{task} goes on after its horizon of {task.traits.horizon} actions. Correct "
            "`traits.horizon`, or let `terminated` end the episode there."
        )
    return _assemble(layers, links, transitions)


def _first_layer(task: Task, start: State) -> _Layer:
    states = jax.tree.map(np.asarray, start)
    batch_size(states)
    found = _Layer(states, *(np.asarray(x) for x in _describe(task, states)))
    if not np.issubdtype(found.fingerprints.dtype, np.integer):
        raise ContractError(
            f"{task}.fingerprint gives {found.fingerprints.dtype}; it must give integers."
        )
    return found.take(RowIndex(found.fingerprints).first)


def _expand_layer(
    task: Task, objective: Objective, layer: _Layer, ply: int, bounds: _Bounds
) -> tuple[_Layer, np.ndarray, np.ndarray]:
    """All successors of a layer without repetition, and how its actions lead to them."""
    live = np.flatnonzero(~layer.terminal)
    legal = layer.legal[live]
    if not legal.any(1).all():
        stuck = jax.tree.map(lambda x: x[live[~legal.any(1)][0]], layer.states)
        raise NoLegalActionError(
            "A reachable state is not terminal and has no legal action; the task must end the "
            f"episode.\n{task.render(stuck)}"
        )
    if not len(live):
        nothing = np.zeros(layer.legal.shape, np.float32)
        return layer.take(live), np.full(layer.legal.shape, -1, np.int32), nothing
    edges = int(legal.sum())
    # Beside the successors themselves: packed keys, what sorting them takes, and rewards.
    per_edge = _array_bytes(layer) + 104
    bounds.admit(ply + 1, 0, edges * per_edge, kept=False)
    every, at = layer.take(np.zeros(edges, int)), 0
    gained = np.zeros((edges, task.traits.players), np.float32)
    for rows in _chunks(live, task.traits.actions):
        chosen = layer.legal[rows]
        after, reward = _successors(task, objective, layer.states, rows, chosen)
        here, at = slice(at, at + len(reward)), at + len(reward)
        every.put(here, after)
        gained[here] = reward
    index = RowIndex(every.fingerprints, inverse=True)
    bounds.admit(ply + 1, len(index.first), len(index.first) * _stored_bytes(layer))
    where = np.zeros(layer.legal.shape, bool)
    where[live] = legal
    children = np.full(layer.legal.shape, -1, np.int32)
    gains = np.zeros(layer.legal.shape, np.float32)
    children[where] = index.inverse
    gains[where] = _player_zero(task, gained)
    return every.take(index.first), children, gains


def _chunks(rows: np.ndarray, actions: int) -> list[np.ndarray]:
    size = _chunk_size(len(rows), actions)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _chunk_size(rows: int, actions: int) -> int:
    small, large = (max(1, 8 * size // max(8, actions)) for size in _CHUNKS)
    return small if rows <= small else large


def _successors(
    task: Task, objective: Objective, states: State, rows: np.ndarray, legal: np.ndarray
) -> tuple[_Layer, np.ndarray]:
    padded = np.resize(rows, _chunk_size(len(rows), task.traits.actions))
    after, facts, reward = _expand(task, objective, jax.tree.map(lambda x: x[padded], states))
    pick = np.zeros((len(padded), legal.shape[1]), bool)
    pick[: len(rows)] = legal
    chosen = jax.tree.map(lambda x: np.asarray(x)[pick], (after, facts, reward))
    return _Layer(chosen[0], *chosen[1]), chosen[2]


def _player_zero(task: Task, rewards: Float[np.ndarray, "edges players"]) -> np.ndarray:
    if not np.isfinite(rewards).all():
        raise NonFiniteError(
            f"The objective gave NaN or infinity in {task}, so no value follows from it. "
            "Check its rewards on legal transitions."
        )
    if rewards.shape[1] == 2 and np.abs(rewards.sum(1)).max(initial=0.0) > 1e-5:
        raise UnsuitableTaskError(
            f"The rewards in {task} do not sum to zero over its two players; exact solving "
            "needs opposite aims. Search it instead."
        )
    return rewards[:, 0]


@eqx.filter_jit
def _describe(task: Task, states: State) -> tuple[Array, Array, Array, Array]:
    return jax.vmap(lambda s: _facts(task, s))(states)


def _facts(task: Task, state: State) -> tuple[Array, Array, Array, Array]:
    player = task.player(state).astype(jnp.int8)
    return task.fingerprint(state), task.terminated(state), player, task.legal(state)


@eqx.filter_jit
def _expand(task: Task, objective: Objective, states: State) -> tuple[State, tuple, Array]:
    """Every action of every state, the illegal ones too: they are dropped on the host."""

    def act(state: State, action: Int[Array, ""]):
        after = task.advance(state, action, jax.random.key(0))
        return after, _facts(task, after), jnp.asarray(objective(state, action, after))

    actions = jnp.arange(task.traits.actions, dtype=jnp.int32)
    return jax.vmap(jax.vmap(act, (None, 0)), (0, None))(states, actions)


def _array_bytes(layer: _Layer) -> int:
    """Of one state."""
    size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(vars(layer)))
    return size // len(layer.terminal)


def _stored_bytes(layer: _Layer) -> int:
    """Of one state, with children, rewards, values and keys; twice, since joining layers copies."""
    return 2 * _array_bytes(layer) + 16 * layer.legal.shape[1] + 40


def _assemble(
    layers: list[_Layer], links: list[tuple[np.ndarray, np.ndarray]], transitions: int
) -> Graph:
    offsets = np.cumsum([0, *(len(x.terminal) for x in layers)]).tolist()

    def join(*parts: np.ndarray) -> np.ndarray:
        return np.concatenate(parts)

    return Graph(
        states=jax.tree.map(join, *[x.states for x in layers]),
        fingerprints=join(*[x.fingerprints for x in layers]),
        terminal=join(*[x.terminal for x in layers]),
        player=join(*[x.player for x in layers]),
        children=join(*[c for c, _ in links]).astype(np.int32),
        rewards=join(*[r for _, r in links]),
        offsets=offsets,
        transitions=transitions,
    )
