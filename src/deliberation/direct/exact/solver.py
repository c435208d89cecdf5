"""Solve a small deterministic task exactly: every reachable state, its value, every best action.

States are enumerated ply by ply and told apart by `task.fingerprint`; values follow by backward
induction from the end (Bellman for one player, von Neumann's minimax for two).
"""

import dataclasses
import time
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.answering import timed
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, row_keys
from ...core.errors import UnknownStateError
from ...core.ledger import Ledger
from ...core.objective import Objective, wanted
from ...core.task import State, Task, batch_size, check_is_task
from .numbering import RowIndex
from .plies import Graph, enumerate_task

_TIE = 1e-5
"""Relative difference under which two action values (kept in single precision) are equal."""


class Layer(NamedTuple):
    """The states that can occur after exactly `ply` actions, and which of them are terminal."""

    ply: int
    states: State
    terminal: Bool[np.ndarray, " states"]


@dataclasses.dataclass(eq=False, repr=False)
class Solution:
    """Every reachable state of a task with its value and the value of each action.

    `states` counts distinct reachable states, terminal ones included; `transitions` the legal
    actions tried. `value` is what the first player can secure from the start (the mean, where a
    task starts at random). `spent` is what solving cost.
    """

    task: Task
    objective: Objective
    states: int
    transitions: int
    value: float
    spent: Ledger
    bounds: tuple[int, int]
    _graph: Graph
    _index: RowIndex
    _action_values: Float[np.ndarray, "stored actions"]
    _values: Float[np.ndarray, " stored"]
    _others: list["Solution"] = dataclasses.field(default_factory=list)

    def __repr__(self) -> str:
        return f"Solution({self.task}, states={self.states}, value={self.value:g})"

    @property
    def plies(self) -> int:
        """The largest number of actions that an episode can take."""
        return len(self._graph.offsets) - 2

    def values(self, states: State) -> Float[np.ndarray, " batch"]:
        """The return still to come in each state for its player to move; 0 where it is terminal.

        Raises `UnknownStateError` for a state that play from the start cannot reach.
        """
        return self._values[self._find(states)]

    def action_values(self, states: State) -> Float[np.ndarray, "batch actions"]:
        """The value of each action for the player to move; minus infinity where illegal."""
        return self._action_values[self._find(states)]

    def optimal(self, states: State) -> Bool[np.ndarray, "batch actions"]:
        """Every best action of each state; none where the state is terminal."""
        return _best(self.action_values(states))

    def reachable(self, ply: int) -> Layer:
        """The distinct states that can occur after exactly `ply` actions."""
        if not 0 <= ply <= self.plies:
            raise IndexError(f"Play lasts 0 to {self.plies} plies; there is no ply {ply}.")
        rows = slice(*self._graph.offsets[ply : ply + 2])
        return Layer(ply, self._rows(rows), self._graph.terminal[rows])

    def __iter__(self) -> Iterator[Layer]:
        return (self.reachable(ply) for ply in range(self.plies + 1))

    def sample(self, n: int, seed: int = 0, *, live: bool = True) -> State:
        """Draw `n` different reachable states with equal chances; only live ones unless asked.

        Raises `ValueError` if there are fewer than `n`.
        """
        rows = self._index.first
        rows = rows[~self._graph.terminal[rows]] if live else rows
        if not 0 < n <= len(rows):
            raise ValueError(f"Asked for {n} different states; there are {len(rows)} to draw from.")
        return self._rows(np.random.default_rng(seed).choice(rows, n, replace=False))

    def under(self, objective: Objective | None) -> "Solution":
        """The same task solved for another objective; remembers the last few."""
        for known in [self, *self._others]:
            if objective is None or bool(eqx.tree_equal(known.objective, objective)):
                return known
        found = solve(self.task, objective, max_states=self.bounds[0], max_bytes=self.bounds[1])
        self._others[:] = [found, *self._others[:3]]
        return found

    def _rows(self, rows: slice | np.ndarray) -> State:
        return jax.tree.map(lambda x: jnp.asarray(x[rows]), self._graph.states)

    def _find(self, states: State) -> Int[np.ndarray, " batch"]:
        found = self._index.find(fingerprints(self.task, states))
        if (found < 0).any():
            row = int(np.argmax(found < 0))
            raise UnknownStateError(
                f"Row {row} cannot be reached from the start of {self.task}, so it has no exact "
                "value here. Take states from `solution.sample` or from play.\n"
                + self.task.render(jax.tree.map(lambda x: x[row], states))
            )
        return found


def solve(
    task: Task,
    objective: Objective | None = None,
    *,
    start: State | None = None,
    max_states: int = 5_000_000,
    max_bytes: int = 2 * 2**30,
) -> Solution:
    """Solve a deterministic, fully observable task of one player, or of two with opposite aims.

    `start` is a batch of first states; by default those that `task.init` gives for 64 keys.
    Raises `TooLargeError` before `max_states` states or `max_bytes` bytes of arrays would be
    exceeded, naming the size reached, and `UnsuitableTaskError` for tasks of another kind.
    """
    began = time.perf_counter()
    check_is_task(task)
    objective = wanted(task, objective)
    graph = enumerate_task(task, objective, start, max_states, max_bytes)
    index = RowIndex(graph.fingerprints)
    graph.fingerprints = graph.fingerprints[:0]
    action_values, values = _induct(graph, objective.discount)
    starts = graph.offsets[1]
    sign = np.where(graph.player[:starts] == 0, 1.0, -1.0)
    return Solution(
        task=task,
        objective=objective,
        states=len(index.first),
        transitions=graph.transitions,
        value=float(np.mean(sign * values[:starts])),
        spent=Ledger(model_steps=graph.transitions, seconds=time.perf_counter() - began),
        bounds=(max_states, max_bytes),
        _graph=graph,
        _index=index,
        _action_values=action_values,
        _values=values,
    )


def _induct(
    graph: Graph, discount: float
) -> tuple[Float[np.ndarray, "stored actions"], Float[np.ndarray, " stored"]]:
    """Backward induction; both results are for the player to move.

    Works in the rewards' memory and frees the children: nothing needs them afterwards.
    """
    q, sign = graph.rewards, np.where(graph.player == 0, 1.0, -1.0).astype(np.float32)
    values = np.zeros(len(sign), np.float32)
    for first, last in reversed(list(zip(graph.offsets[:-1], graph.offsets[1:], strict=True))):
        child, mine = graph.children[first:last], sign[first:last, None]
        future = np.float32(discount) * sign[child] * values[child]
        layer = np.where(child >= 0, mine * (q[first:last] + future), -np.inf)
        q[first:last] = layer
        values[first:last] = np.where(graph.terminal[first:last], 0.0, layer.max(1))
    graph.children = graph.children[:0]
    return q, values


def _best(action_values: Float[np.ndarray, "batch actions"]) -> Bool[np.ndarray, "batch actions"]:
    top = action_values.max(1, keepdims=True)
    slack = _TIE * np.maximum(1.0, np.abs(np.where(np.isfinite(top), top, 0.0)))
    return np.isfinite(action_values) & (action_values >= top - slack)


def fingerprints(task: Task, states: State) -> Int[np.ndarray, "batch words"]:
    """Fingerprints of a batch, padded to a power of two so that few sizes are compiled."""
    batch = batch_size(states)
    room = 1 << max(batch - 1, 0).bit_length()
    padded = jax.tree.map(lambda x: np.resize(np.asarray(x), (room, *x.shape[1:])), states)
    return np.asarray(_fingerprints(task, padded))[:batch]


@eqx.filter_jit
def _fingerprints(task: Task, states: State) -> Int[Array, "batch words"]:
    return jax.vmap(task.fingerprint)(states)


class ExactSolver(Decider):
    """Plays a solved task perfectly: draws evenly from all best actions.

    It has nothing to gain from a budget and ignores it. Another objective is solved for on the
    spot, and whoever asks for it pays for that (see `Ledger`); the solution given is paid for in
    its own `spent`, and looking it up takes no model step.
    """

    task: Task
    solution: Solution = eqx.field(static=True)

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Look every row up; raises `UnknownStateError` for states that play cannot reach."""
        del budget
        batch = batch_size(state)
        keys, started = row_keys(key, batch), time.perf_counter()
        solution = self.solution.under(objective)
        steps = 0 if solution is self.solution else solution.transitions
        weights = _best(solution.action_values(state)).astype(np.float32)
        weights /= np.maximum(weights.sum(1, keepdims=True), 1.0)
        action = _draw(keys, jnp.asarray(weights))
        value = jnp.asarray(solution.values(state))
        spent = Ledger(model_steps=jnp.where(action >= 0, steps, 0))
        return timed(Decision(action, jnp.asarray(weights), value, spent), started), memory


@jax.jit
def _draw(
    keys: Key[Array, " batch"], weights: Float[Array, "batch actions"]
) -> Int[Array, " batch"]:
    chosen = jax.vmap(jax.random.categorical)(keys, jnp.log(weights))
    return jnp.where(weights.any(1), chosen, -1).astype(jnp.int32)
