"""Nodes and queues of best-first search: states in one arena, a priority queue for each row."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import NoLegalActionError, NonFiniteError
from ...core.host import keyless, with_keys
from ...core.noise import mix
from ...core.objective import Objective
from ...core.rows import in_one_row
from ...core.task import State, Task, batch_size
from ..evaluators import Evaluator

_CHUNKS = (8, 64, 512)
"""Nodes expanded in one compiled call: few sizes, so that few programs are compiled."""


class Pruning(eqx.Module):
    """Leave out what a judge thinks unlikely to pay.

    Among the children of a node, those whose reward and value by `judge` come to less than the best
    sibling's by more than `margin` (in units of return) are never looked at again. The judge is
    asked once for each child that is not terminal; what is terminal counts at its true worth. With
    an infinite margin nothing is left out; where the judge is wrong, the best plan may be. Playouts
    that it makes are counted as spent, but not foreseen.
    """

    judge: Evaluator
    margin: Float[Array, ""]

    def __init__(self, judge: Evaluator, margin: float | Float[Array, ""]):
        self.judge, self.margin = judge, jnp.asarray(margin, jnp.float32)
        if bool(jnp.isnan(self.margin)) or float(self.margin) < 0:
            raise ValueError(f"A margin is 0 or more, in units of return; got {margin}.")


@dataclass
class Line:
    """The plan that a search ends with, state by state, and what finding it took."""

    actions: list[int]
    values: list[float]
    states: list[np.ndarray]
    proved: bool
    expansions: int
    steps: int
    evaluations: int
    flops: float


class Arena:
    """Every node that was made, for all rows together; nodes are numbers."""

    def __init__(
        self,
        task: Task,
        objective: Objective,
        merge: Callable[[State], Int[Array, " words"]] | None,
        prune: Pruning | None,
    ):
        self.task, self.objective, self.merge, self.prune = task, objective, merge, prune
        self.discount = float(objective.discount)
        self.size = 0
        self._columns: list[np.ndarray] = []
        self._form: Any = None

    def init(self, states: State) -> Int[np.ndarray, " rows"]:
        """Nodes for the states that searches start from."""
        rows = batch_size(states)
        room = 1 << max(rows - 1, 0).bit_length()
        padded = jax.tree.map(lambda x: np.resize(x, (room, *x.shape[1:])), states)
        facts = _describe(self.task, self.objective, self.merge, padded)
        self._check(np.zeros(1), np.asarray(facts.h))
        return self._add(jax.tree.map(lambda x: np.asarray(x)[:rows], (padded, facts, facts.h)))

    def expand(
        self, nodes: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, "n actions"], Int[np.ndarray, "n 2"]]:
        """The children of each node by action; how many were judged, and the model steps it took.

        A child is -1 where there is none, or it was pruned.
        """
        found = np.full((len(nodes), self.task.traits.actions), -1)
        judged = np.zeros((len(nodes), 2), int)
        start = 0
        while start < len(nodes):
            left = len(nodes) - start
            size = next((c for c in _CHUNKS if c >= left), _CHUNKS[-1])
            some = nodes[start : start + size]
            after, facts, reward, keep, stuck, asked = jax.tree.map(
                np.asarray,
                _expand(
                    self.task, self.objective, self.merge, self.prune,
                    self._states(np.resize(some, size)),
                ),
            )  # fmt: skip
            self._refuse_stuck(after, stuck)
            kept = keep & (np.arange(size) < len(some))[:, None]
            self._check(reward[kept], facts.h[kept])
            rows = jax.tree.map(lambda x, kept=kept: x[kept], (after, facts, reward))
            found[start : start + len(some)][kept[: len(some)]] = self._add(rows)
            judged[start : start + len(some)] = asked[: len(some)]
            start += size
        return found, judged

    def _check(self, reward: np.ndarray, h: np.ndarray) -> None:
        for name, numbers in (("reward", reward), ("heuristic", h)):
            if not np.isfinite(numbers).all():
                raise NonFiniteError(
                    f"Best-first search met NaN or infinity in a {name} in {self.task!r} "
                    f"({type(self.objective).__name__}). It needs finite rewards, a finite "
                    "`Objective.heuristic` (or upper bound, which it is by default) and, where a "
                    "judge prunes, finite values of its."
                )

    def _refuse_stuck(self, states: State, stuck: Bool[np.ndarray, "n actions"]) -> None:
        if stuck.any():
            at = np.unravel_index(np.argmax(stuck), stuck.shape)
            state = with_keys(jax.tree.map(lambda x: x[at], states))
            raise NoLegalActionError(
                "The search, or a playout of the judge that prunes, came to a state that is not "
                "terminal and has no legal action; the task must end the episode there. It was "
                f"here, or on from here:\n{self.task.render(state)}"
            )

    def _states(self, nodes: np.ndarray) -> State:
        state = jax.tree.unflatten(self._form, [c[nodes] for c in self._columns])[0]
        return state

    def _add(self, rows: Any) -> Int[np.ndarray, " n"]:
        leaves, self._form = jax.tree.flatten(rows)
        count = len(leaves[0])
        if not self._columns:
            self._columns = [np.empty((1024, *x.shape[1:]), x.dtype) for x in leaves]
        while self.size + count > len(self._columns[0]):
            self._columns = [np.concatenate([c, np.empty_like(c)]) for c in self._columns]
        new = np.arange(self.size, self.size + count)
        for column, leaf in zip(self._columns, leaves, strict=True):
            column[new] = leaf
        self.size += count
        return new

    def facts(self, nodes: np.ndarray) -> tuple["Facts", np.ndarray]:
        """What is known of some nodes, and the rewards that led to them."""
        _, facts, reward = jax.tree.unflatten(self._form, [c[nodes] for c in self._columns])
        return facts, reward


class Facts(eqx.Module):
    """What a search knows of a state; `legal` counts."""

    place: Any
    words: Any
    terminal: Any
    legal: Any
    h: Any


class Frontier:
    """The open nodes of one row and the best way known to each place."""

    def __init__(self, arena: Arena, root: int, expansions: int, steps: int):
        self.arena, self.root = arena, root
        self.expansions_left, self.steps_left = expansions, steps
        self.expansions = self.steps = self.evaluations = 0
        self.proved, self.busy = False, True
        self.way: dict[int, tuple[int, int, float, int]] = {self.root: (-1, -1, 0.0, 0)}
        """Of each node: its parent, the action to it, what was collected so far, its depth."""
        facts, _ = arena.facts(np.array([self.root]))
        self._made = 0
        self._open: list[tuple[float, int, int, int, int, bool]] = []
        self._best: dict[bytes, int] = {}
        self._places: dict[int, bytes] = {}
        self._push(self.root, facts, 0)
        self._asked: list[int] = []

    def take(self, count: int) -> list[int]:
        """The next nodes to expand, the most promising first; none ends the search."""
        taken: list[int] = []
        while len(taken) < min(count, self.expansions_left):
            top = self._top()
            if top is None:
                break
            _, _, _, node, legal, terminal = top
            if terminal or legal > self.steps_left:
                self.proved = terminal and not taken
                break
            heapq.heappop(self._open)
            self.steps_left -= legal
            self.steps += legal
            taken.append(node)
        self.expansions_left -= len(taken)
        self.expansions += len(taken)
        self.busy, self._asked = bool(taken), taken
        return taken

    def put(self, children: Int[np.ndarray, "n actions"], judged: Int[np.ndarray, "n 2"]) -> None:
        """Take in the children of the nodes that were asked for."""
        rows, actions = np.nonzero(children >= 0)
        nodes = children[rows, actions]
        facts, reward = self.arena.facts(nodes)
        if self.arena.prune is not None:
            count, played = (int(x) for x in judged.sum(0))
            self.evaluations += count * self.arena.prune.judge.passes
            self.steps += played
            self.steps_left -= played
        gains = reward.astype(float)
        for i, (row, action, node) in enumerate(zip(rows, actions, nodes, strict=True)):
            parent = self._asked[row]
            _, _, collected, depth = self.way[parent]
            gain = collected + self.arena.discount**depth * gains[i]
            self.way[int(node)] = (parent, int(action), gain, depth + 1)
            self._push(int(node), facts, i)

    def _push(self, node: int, facts: Facts, i: int) -> None:
        _, _, collected, depth = self.way[node]
        place = facts.place[i].tobytes()
        if self.arena.discount != 1.0:
            # Later is worth less: what was collected compares only at equal depth.
            place += depth.to_bytes(4, "big")
        known = self._best.get(place)
        if known is not None and self.way[known][2] >= collected:
            return
        self._best[place], self._places[node] = node, place
        terminal = bool(facts.terminal[i])
        rest = 0.0 if terminal else self.arena.discount**depth * float(facts.h[i])
        self._made += 1
        entry = (-(collected + rest), -depth, self._made, node, int(facts.legal[i]), terminal)
        heapq.heappush(self._open, entry)

    def _top(self) -> tuple[float, int, int, int, int, bool] | None:
        """The most promising open node; those to which a better way was found are dropped."""
        while self._open and self._best[self._places[self._open[0][3]]] != self._open[0][3]:
            heapq.heappop(self._open)
        return self._open[0] if self._open else None

    def line(self) -> Line:
        """The way to the most promising node.

        Nowhere if there is none: where nodes merge, every way may lead back to a better one.
        """
        top = self._top()
        node, terminal = (self.root, False) if top is None else (top[3], top[5])
        facts, _ = self.arena.facts(np.array([node]))
        value = 0.0 if terminal else float(facts.h[0])
        actions, values, parents = [], [], []
        while node != self.root:
            parent, action, _, _ = self.way[node]
            _, reward = self.arena.facts(np.array([node]))
            value = float(reward[0]) + self.arena.discount * value
            actions.append(action)
            values.append(value)
            parents.append(parent)
            node = parent
        words, _ = self.arena.facts(np.array(parents[::-1], int))
        judge = None if self.arena.prune is None else self.arena.prune.judge
        flops = 0.0
        if judge is not None:
            flops = self.evaluations * judge.flops / max(1, judge.passes)
        return Line(
            actions[::-1], values[::-1], list(words.words), self.proved, self.expansions,
            self.steps, self.evaluations, flops,
        )  # fmt: skip


def _facts(task: Task, objective: Objective, merge: Any, state: State) -> Facts:
    words = jnp.ravel(task.fingerprint(state)).astype(jnp.int32)
    place = words if merge is None else jnp.ravel(merge(state)).astype(jnp.int32)
    terminal = task.terminated(state)
    h = jnp.where(terminal, 0.0, objective.heuristic(state))
    return Facts(place, words, terminal, task.legal(state).sum(), h)


@eqx.filter_jit
def _describe(task: Task, objective: Objective, merge: Any, states: State) -> Facts:
    return jax.vmap(lambda s: _facts(task, objective, merge, s))(with_keys(states))


@eqx.filter_jit
def _expand(
    task: Task, objective: Objective, merge: Any, prune: Pruning | None, states: State
) -> tuple[State, Facts, Array, Array, Array, Array]:
    """Every action of every state, which to keep, where it led to a dead end, and what it took.

    That is how many were judged, and the model steps of it.
    """

    def act(state: State, action: Int[Array, ""]):
        after = task.advance(state, action, jax.random.key(0))
        reward = jnp.asarray(objective(state, action, after))[0]
        return after, _facts(task, objective, merge, after), reward

    states, actions = with_keys(states), jnp.arange(task.traits.actions, dtype=jnp.int32)
    after, facts, reward = jax.vmap(jax.vmap(act, (None, 0)), (0, None))(states, actions)
    keep = jax.vmap(task.legal)(states)
    # Before anything is left out: what is pruned may not hide that the task is broken.
    stuck = keep & ~facts.terminal & (facts.legal == 0)
    if prune is None:
        nothing = jnp.zeros((keep.shape[0], 2), jnp.int32)
        return keyless(after), facts, reward, keep, stuck, nothing
    flat = in_one_row(after)
    live = keep & ~facts.terminal
    # A seed for each state, the same wherever it is met: other rows and batches do not matter.
    words = mix(jnp.uint32(0), facts.words, jnp.arange(facts.words.shape[-1]))
    seed = words.sum(-1, dtype=jnp.uint32).ravel()
    judged = prune.judge(task, objective, flat, live.ravel(), seed)
    if judged.stuck is not None:
        stuck = stuck | (live & judged.stuck.reshape(live.shape))
    value = jnp.where(facts.terminal, 0.0, judged.value.reshape(keep.shape))
    worth = reward + objective.discount * value
    best = jnp.where(keep, worth, -jnp.inf).max(-1, keepdims=True)
    # What is not finite is kept, and refused where it is looked at.
    finite = jnp.isfinite(worth)
    facts = eqx.tree_at(lambda f: f.h, facts, jnp.where(finite, facts.h, worth))
    played = jnp.where(live, judged.model_steps.reshape(keep.shape), 0)
    asked = jnp.stack([live.sum(-1), played.sum(-1)], -1)
    keep = keep & ~(finite & (worth < best - prune.margin))
    return keyless(after), facts, reward, keep, stuck, asked
