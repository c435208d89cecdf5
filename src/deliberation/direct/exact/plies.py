"""List every state that a task in full view can reach, ply by ply, within bounds on memory."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import ContractError, TooLargeError
from ...core.host import on_host
from ...core.objective import Objective
from ...core.task import State, Task
from ..checks import check_deterministic
from .expansion import (
    compares,
    contents,
    described,
    expansions,
    player_zero,
    refuse_coarse,
    refuse_dead_ends,
    successors,
)
from .numbering import RowIndex
from .starts import first_states


@dataclasses.dataclass(eq=False)
class Graph:
    """Every state of every layer, the layers one after another, `offsets` where each begins.

    A state that occurs after different numbers of actions is stored once in each such layer.
    `children` points to rows, -1 where an action is illegal or an outcome is padding; `chances` is
    how probable each is, None where there is one outcome of each action. `rewards` are player 0's,
    expected over outcomes. `probable` is how likely each of the first states is.
    """

    states: State
    fingerprints: Int[np.ndarray, "stored words"]
    terminal: Bool[np.ndarray, " stored"]
    player: Int[np.ndarray, " stored"]
    children: Int[np.ndarray, "stored actions outcomes"]
    chances: Float[np.ndarray, "stored actions outcomes"] | None
    rewards: Float[np.ndarray, "stored actions"]
    probable: Float[np.ndarray, " starts"]
    offsets: list[int]
    transitions: int

    def layers(self) -> list[slice]:
        """The rows of each layer, the first one first."""
        return [slice(*ends) for ends in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def legal(self, layer: slice) -> Bool[np.ndarray, "states actions"]:
        """Which actions the states of a layer have."""
        return np.any(self.children[layer] >= 0, axis=-1)

    def expected(
        self, layer: slice, values: Float[np.ndarray, " stored"]
    ) -> Float[np.ndarray, "states actions"]:
        """The mean of some values over what an action can lead to; 0 where it is illegal."""
        children = self.children[layer]
        found = np.where(children >= 0, values[children], np.float32(0))
        return found[..., 0] if self.chances is None else (self.chances[layer] * found).sum(-1)


@dataclasses.dataclass
class _Layer:
    states: State
    fingerprints: np.ndarray
    terminal: np.ndarray
    player: np.ndarray
    legal: np.ndarray

    def take(self, rows: np.ndarray | slice) -> "_Layer":
        parts = jax.tree.map(lambda x: x[rows], vars(self))
        return _Layer(**parts)

    def put(self, rows: slice, other: "_Layer") -> None:
        for mine, new in zip(*map(jax.tree.leaves, (vars(self), vars(other))), strict=True):
            mine[rows] = new

    def __len__(self) -> int:
        return len(self.terminal)


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


@dataclasses.dataclass
class _Links:
    """How the actions of one layer lead to the next, and what they earn player 0."""

    children: Int[np.ndarray, "states actions outcomes"]
    chances: Float[np.ndarray, "states actions outcomes"] | None
    rewards: Float[np.ndarray, "states actions"]


def enumerate_plies(
    task: Task, objective: Objective, start: State | None, max_states: int, max_bytes: int
) -> Graph:
    """Breadth first from `start` (or from the task's first states); see `solve` for the errors."""
    check_deterministic(
        task,
        "exact solving needs a discrete task in full view of one or two players, whose chance, if "
        "any, is listed (`Task.outcomes`). Search it instead.",
        listed=True,
    )
    bounds = _Bounds(task, max_states, max_bytes)
    layer, probable = _first_layer(task, start)
    layers, links, transitions = [], [], 0
    bounds.admit(0, len(layer), len(layer) * _stored_bytes(task, layer))
    for ply in range(task.traits.horizon + 1):
        if ply and not len(layer):
            break
        layers.append(layer)
        offset = bounds.states
        layer, found = _expand_layer(task, objective, layer, ply, bounds)
        found.children = np.where(found.children >= 0, found.children + offset, -1)
        links.append(found)
        transitions += int((found.children >= 0).sum())
    if len(layer):
        raise ContractError(
            f"{task} goes on after its horizon of {task.traits.horizon} actions. Correct "
            "`traits.horizon`, or let `terminated` end the episode there."
        )
    return _assemble(layers, links, probable, transitions)


def _first_layer(task: Task, start: State | None) -> tuple[_Layer, np.ndarray]:
    """The distinct first states, and how probable each is."""
    first, probable = first_states(task, start)
    states = on_host(first)
    found = _Layer(states, *described(task, states, _look))
    if not np.issubdtype(found.fingerprints.dtype, np.integer):
        raise ContractError(
            f"{task}.fingerprint gives {found.fingerprints.dtype}; it must give integers."
        )
    index = RowIndex(found.fingerprints, inverse=True)
    mass = np.bincount(index.inverse, probable, len(index.first))
    return found.take(index.first), mass


def _expand_layer(
    task: Task, objective: Objective, layer: _Layer, ply: int, bounds: _Bounds
) -> tuple[_Layer, _Links]:
    """All successors of a layer without repetition, and how its actions lead to them."""
    legal = layer.legal & ~layer.terminal[:, None]
    refuse_dead_ends(task, layer.states, layer.terminal, legal)
    outcomes = max(task.traits.outcomes, 1)
    children = np.full((*legal.shape, outcomes), -1, np.int32)
    gains = np.zeros(legal.shape, np.float32)
    chances = None if outcomes == 1 else np.zeros(children.shape, np.float32)
    if not legal.any():
        return layer.take(np.zeros(0, int)), _Links(children, chances, gains)
    edges = int(legal.sum()) * outcomes
    # Beside the successors themselves: packed keys, what sorting them takes, and rewards.
    bounds.admit(ply + 1, 0, edges * (_array_bytes(layer) + 104), kept=False)
    every, at = layer.take(np.zeros(edges, int)), 0
    places = np.zeros((edges, 3), np.int32)
    for part in expansions(task, layer.states, legal, objective, _look):
        here, at = slice(at, at + len(part.parent)), at + len(part.parent)
        every.put(here, _Layer(part.states, *part.facts))
        places[here] = np.column_stack([part.parent, part.action, part.outcome])
        odds = part.chance if chances is not None else np.ones(len(part.parent), np.float32)
        np.add.at(gains, (part.parent, part.action), odds * player_zero(task, part.rewards))
        if chances is not None:
            chances[part.parent, part.action, part.outcome] = odds
    every, places = every.take(slice(at)), places[:at]
    index = RowIndex(every.fingerprints, inverse=True)
    bounds.admit(ply + 1, len(index.first), len(index.first) * _stored_bytes(task, layer))
    _refuse_coarse(task, objective, every, index)
    children[tuple(places.T)] = index.inverse
    return every.take(index.first), _Links(children, chances, gains)


def _refuse_coarse(task: Task, objective: Objective, every: _Layer, index: RowIndex) -> None:
    """Where different states have one fingerprint, compare some of them."""
    if not compares(task):
        return
    held = contents(every.states)
    twins = np.flatnonzero(held != held[index.first][index.inverse])
    if len(twins):
        firsts = index.first[index.inverse[twins]]
        refuse_coarse(task, objective, *(every.take(x).states for x in (firsts, twins)))


def _look(task: Task, state: State) -> tuple[Array, Array, Array, Array]:
    player = task.player(state).astype(jnp.int8)
    return task.fingerprint(state), task.terminated(state), player, task.legal(state)


def _array_bytes(layer: _Layer) -> int:
    """Of one state."""
    size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(vars(layer)))
    return size // max(len(layer), 1)


def _stored_bytes(task: Task, layer: _Layer) -> int:
    """Of one state, with children, rewards, values and keys; twice, since joining layers copies."""
    return 2 * _array_bytes(layer) + 16 * successors(task) + 40


def _assemble(
    layers: list[_Layer], links: list[_Links], probable: np.ndarray, transitions: int
) -> Graph:
    offsets = np.cumsum([0, *(len(x) for x in layers)]).tolist()

    def join(*parts: np.ndarray) -> np.ndarray:
        return np.concatenate(parts)

    odds = [x.chances for x in links if x.chances is not None]
    return Graph(
        states=jax.tree.map(join, *[x.states for x in layers]),
        fingerprints=join(*[x.fingerprints for x in layers]),
        terminal=join(*[x.terminal for x in layers]),
        player=join(*[x.player for x in layers]),
        children=join(*[x.children for x in links]).astype(np.int32),
        chances=join(*odds) if odds else None,
        rewards=join(*[x.rewards for x in links]),
        probable=probable,
        offsets=offsets,
        transitions=transitions,
    )
