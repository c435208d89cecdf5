"""Solve a small task exactly: every reachable state, its value, every best action.

States are enumerated ply by ply and told apart by `task.fingerprint`; values follow by backward
induction from the end (Bellman for one player, von Neumann's minimax for two; where chance decides,
by expectation over what the task lists, Shapley 1953).
"""

import dataclasses
import time
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.answering import CheckedDecider, Question
from ...core.decider import Decision, Memory
from ...core.errors import UnknownStateError
from ...core.host import with_keys
from ...core.ledger import Ledger
from ...core.objective import Objective, wanted
from ...core.task import State, Task, check_is_task
from ..ties import SINGLE, drawn, tied
from .expansion import described
from .numbering import RowIndex
from .plies import Graph, enumerate_plies


class Layer(NamedTuple):
    """The states that can occur after exactly `ply` actions, and which of them are terminal."""

    ply: int
    states: State
    terminal: Bool[np.ndarray, " states"]


@dataclasses.dataclass(eq=False, repr=False)
class Solution:
    """Every reachable state of a task with its value and the value of each action.

    `states` counts distinct reachable states, terminal ones included; `transitions` the legal
    actions tried (each outcome of chance counts). `value` is what the first player can secure from
    the start, expected over the first states. `spent` is what solving cost.
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
    _preferred: Bool[np.ndarray, "stored actions"]
    _values: Float[np.ndarray, " stored"]
    _unit: float
    """The size of the largest reward."""
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
        return tied(self.action_values(states), unit=self._unit)

    def preferred(self, states: State) -> Bool[np.ndarray, "batch actions"]:
        """Of the best actions of two players those that win soonest, or lose latest.

        All best ones where neither wins and for one player; none where the state is terminal.
        """
        return self._preferred[self._find(states)]

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
        return with_keys(jax.tree.map(lambda x: jnp.asarray(x[rows]), self._graph.states))

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
    """Solve a task in full view of one player, or of two with opposite aims; chance is averaged.

    `start` is a batch of first states, equally probable; by default those that the task lists
    (`Task.starts`), else those that `task.init` gives for 64 keys. Raises `TooLargeError` before
    `max_states` states or `max_bytes` bytes of arrays would be exceeded, naming the size reached,
    `UnsuitableTaskError` for tasks of another kind or chance that is not listed, and
    `ContractError` where two states with one fingerprint turn out to differ in what they earn.
    """
    began = time.perf_counter()
    check_is_task(task)
    objective = wanted(task, objective)
    graph = enumerate_plies(task, objective, start, max_states, max_bytes)
    index = RowIndex(graph.fingerprints)
    graph.fingerprints = graph.fingerprints[:0]
    unit = float(np.abs(graph.rewards).max(initial=0.0))
    action_values, values, preferred = _induct(
        graph, float(objective.discount), task.traits.players, unit
    )
    starts = graph.offsets[1]
    sign = np.where(graph.player[:starts] == 0, 1.0, -1.0)
    return Solution(
        task=task,
        objective=objective,
        states=len(index.first),
        transitions=graph.transitions,
        value=float(graph.probable @ (sign * values[:starts])),
        spent=Ledger(model_steps=graph.transitions, seconds=time.perf_counter() - began),
        bounds=(max_states, max_bytes),
        _graph=graph,
        _index=index,
        _action_values=action_values,
        _preferred=preferred,
        _values=values,
        _unit=unit,
    )


def _induct(
    graph: Graph, discount: float, players: int, unit: float
) -> tuple[
    Float[np.ndarray, "stored actions"],
    Float[np.ndarray, " stored"],
    Bool[np.ndarray, "stored actions"],
]:
    """Backward induction: action values and values for the player to move, and what it prefers.

    Works in the rewards' memory and frees the children: nothing needs them afterwards.
    """
    q, sign = graph.rewards, np.where(graph.player == 0, 1.0, -1.0).astype(np.float32)
    values, lengths = (np.zeros(len(sign), np.float32) for _ in range(2))
    preferred = np.zeros(q.shape, bool)
    for layer in reversed(graph.layers()):
        legal, mine = graph.legal(layer), sign[layer, None]
        # Player 0's values, until they are turned to the player to move.
        future = np.float32(discount) * graph.expected(layer, values)
        found = np.where(legal, mine * (q[layer] + future), -np.inf)
        q[layer] = found
        live = ~graph.terminal[layer]
        best = np.where(live, found.max(1), 0.0)
        values[layer] = mine[:, 0] * best
        if players == 1:
            preferred[layer] = tied(found, unit=unit)
            continue
        length = np.where(legal, 1 + graph.expected(layer, lengths), 0.0)
        preferred[layer] = _soonest(tied(found, unit=unit), length, best, unit)
        share = preferred[layer] / np.maximum(preferred[layer].sum(1, keepdims=True), 1)
        lengths[layer] = (share * length).sum(1)
    graph.children, graph.chances = graph.children[:0], None
    return q, sign * values, preferred


def _soonest(
    best: Bool[np.ndarray, "states actions"],
    length: Float[np.ndarray, "states actions"],
    value: Float[np.ndarray, " states"],
    unit: float,
) -> Bool[np.ndarray, "states actions"]:
    """Of equally good actions those that win soonest or lose latest; all where neither wins.

    `length` is how many actions are still expected to follow.
    """
    worth = np.sign(np.where(np.abs(value) > SINGLE * unit, value, 0.0))[:, None]
    return tied(np.where(best, -worth * length, -np.inf))


def fingerprints(task: Task, states: State) -> Int[np.ndarray, "batch words"]:
    """Fingerprints of a batch, on the host."""
    return described(task, states, _fingerprint)


def _fingerprint(task: Task, state: State) -> Int[Array, " words"]:
    return task.fingerprint(state)


class ExactSolver(CheckedDecider):
    """Plays a solved task perfectly: draws evenly from the best actions.

    Of two players, one who wins takes the shortest way and one who loses the longest (against a
    perfect opponent all are equal; against any other they are not).

    It has nothing to gain from a budget and ignores it. Another objective is solved for on the
    spot, and whoever asks for it pays for that (see `Ledger`); the solution given is paid for in
    its own `spent`, and looking it up takes no model step.
    """

    task: Task
    solution: Solution = eqx.field(static=True)

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Look every row up; raises `UnknownStateError` for states that play cannot reach."""
        state, keys = question.state, question.keys
        solution = self.solution.under(question.given)
        steps = 0 if solution is self.solution else solution.transitions
        weights = solution.preferred(state).astype(np.float32)
        weights /= np.maximum(weights.sum(1, keepdims=True), 1.0)
        action = drawn(keys, jnp.asarray(weights))
        value = jnp.asarray(solution.values(state))
        spent = Ledger(model_steps=jnp.where(action >= 0, steps, 0))
        return Decision(action, jnp.asarray(weights), value, spent), question.memory
