"""A search that is looked at while it grows: in slices, with the tree's first plies as it opens."""

import functools
import time
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ..core.decider import Decision, check_finite
from ..core.keys import named_key
from ..core.objective import Objective
from ..core.task import State, Task
from ..direct import UCT
from ..direct.evaluators import RandomRollouts
from ..direct.tree_search.backends.choice import backend_for
from ..direct.tree_search.limits import Limits
from ..direct.tree_search.running import Order, Setting, answered, begun, grown
from ..direct.tree_search.stopping import Never
from ..direct.tree_search.tree import Tree, size_in_bytes
from ..zoo.naming import usual_search
from .kept import Kept
from .limits import SIMULATIONS
from .worlds import batched

WIDE, PLIES, LINE = 4, 3, 8
SMALL, LARGE = 1024, 16_384
"""Simulations that trees have room for: two sizes, so that two programs serve every effort."""
MOST_BYTES = 2**27
_ROOMS = Kept(64)
SLICE = 0.01
"""Seconds that a slice is meant to take, so that others have their turn."""
BRIEF = 256
"""Simulations that fit into one."""


def searchable(task: Task) -> bool:
    """Whether a tree of states can be grown: nothing hidden, and chance, if any, listed."""
    traits = task.traits
    listed = traits.deterministic or traits.outcomes > 0
    return traits.fully_observable and listed and traits.players <= 2


def searcher(task: Task) -> str:
    """What the search of the board is, in words."""
    if searchable(task):
        return "UCT with random playouts by the rules alone: no network"
    return "UCT over histories with random playouts by the rules alone: no network"


def most_simulations(task: Task) -> int:
    """The right end of the dial: as many as memory allows, a power of two."""
    return _ROOMS.get(repr(task), lambda: _room(task))


def _room(task: Task) -> int:
    if not searchable(task):
        return 512
    state = jax.eval_shape(lambda key: jax.vmap(task.init)(key[None]), jax.random.key(0))
    most = LARGE
    while most > SMALL and size_in_bytes(state, max(task.traits.actions, 1), most) > MOST_BYTES:
        most //= 2
    return min(most, SIMULATIONS)


class Growing:
    """A search from one state for one goal, by the rules alone (UCT, random playouts).

    Every call of `grow` is one slice. Equal questions get equal answers, and what a search of n
    simulations says is what a longer one said at n: the dial is one search, looked at on its way.
    """

    def __init__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        budget: int,
        seed: int,
        asking: int = 0,
    ):
        rule, evaluator = UCT(), RandomRollouts()
        backend = backend_for(rule, "auto")
        self.setting = Setting(task, objective, rule, evaluator, Never(), True, backend, LINE)
        limits = Limits(jnp.array([budget], jnp.int32), _far())
        capacity = SMALL if budget <= SMALL else most_simulations(task)
        self.order = Order(batched(state), limits, _key(seed, asking)[None], capacity)
        self.outcome: Any = None
        self.done, self.more, self.budget = 0, True, budget
        self.pace = 2e-5
        """Seconds that a simulation takes."""
        self.bytes = size_in_bytes(self.order.state, max(task.traits.actions, 1), capacity)
        self.form = (repr(task), capacity)
        """What its programs depend on."""

    def begin(self) -> None:
        """Make the root."""
        self.outcome = begun(self.setting, self.order)

    def grow(self, rounds: int) -> None:
        """So many more simulations, or as many as are left."""
        began, before = time.perf_counter(), self.done
        given = (
            self.setting,
            self.order.limits,
            jnp.int32(min(rounds, self.budget - self.done)),
        )
        self.outcome, more = grown(given, self.outcome)
        self.done = int(self.outcome.simulations[0])
        self.pace = max(1e-6, (time.perf_counter() - began) / max(1, self.done - before))
        self.more = bool(more) and self.done < self.budget

    def at_once(self) -> dict[str, Any]:
        """All of it in one slice, for budgets that take no longer."""
        self.begin()
        self.grow(self.budget)
        return self.told()

    def told(self) -> dict[str, Any]:
        """What it would answer now, and the tree's first plies."""
        decision, _, _ = answered(self.setting, self.outcome)
        opened = jax.device_get(_opened(self.outcome.tree))
        return {
            **read(decision),
            "simulations": self.done,
            "steps": int(np.asarray(decision.spent.model_steps)[0]),
            "proved": bool(self.outcome.done[0]),
            "nodes": int(self.outcome.tree.size[0]),
            "tree": _nested(opened, 0, 0),
        }


@functools.cache
def _far() -> Int[Array, "1"]:
    return jnp.array([jnp.iinfo(jnp.int32).max], jnp.int32)


@functools.lru_cache(64)
def _key(seed: int, asking: int = 0) -> Key[Array, ""]:
    """The chance of a search; another one for each asking of the same question."""
    key = named_key(jax.random.key(seed), "search")
    return jax.random.fold_in(key, asking) if asking else key


def read(decision: Decision) -> dict[str, Any]:
    """The first row of a decision as JSON. Raises `NonFiniteError`: from NaN nothing is chosen."""
    root = decision.root
    check_finite("The search", value=decision.value, weights=decision.weights)
    if root is not None:
        met = np.asarray(root.visits) > 0
        check_finite("The search", values=np.where(met, np.asarray(root.values), 0.0))
    first = jax.device_get(jax.tree.map(lambda x: x[0], (decision.action, decision.value)))
    told = {"action": int(first[0]), "value": float(first[1])}
    told["weights"] = np.asarray(decision.weights)[0]
    if root is not None:
        visits = np.asarray(root.visits)[0]
        told["visits"] = visits
        told["values"] = np.where(visits > 0, np.asarray(root.values)[0], np.nan)
        told["line"] = [int(a) for a in np.asarray(root.line)[0] if a >= 0]
    return told


def milestones(most: int) -> list[int]:
    """1, 2, 4, ... up to the most."""
    return [1 << i for i in range(most.bit_length()) if 1 << i <= most]


def doubling(
    task: Task, objective: Objective, state: State, budget: int, seed: int, asking: int = 0
) -> Iterator[dict[str, Any]]:
    """Answers at 1, 2, 4... simulations where no tree of states can be grown (something hidden)."""
    decider = usual_search(task)
    key = _key(seed, asking)
    for asked in milestones(budget):
        decision, _ = decider.decide(
            batched(state), decider.begin(1), objective=objective, budget=asked, key=key
        )
        yield {
            **read(decision), "simulations": asked, "proved": False, "nodes": None, "tree": [],
            "steps": int(np.asarray(decision.spent.model_steps)[0]),
        }  # fmt: skip


Plies = list[
    tuple[Int[Array, "nodes wide"], Float[Array, "nodes wide"], Float[Array, "nodes wide"]]
]


@eqx.filter_jit
def _opened(tree: Tree) -> Plies:
    """Ply by ply the most visited actions of each node: which, how often, and their values."""
    found: Plies = []
    nodes, real = jnp.zeros(1, jnp.int32), jnp.ones(1, bool)
    for _ in range(PLIES):
        node = tree.at(jnp.zeros_like(nodes), nodes)
        shown = real & ~node.chance
        visits = jnp.where(node.legal & shown[:, None], node.visits, 0.0)
        most, action = jax.lax.top_k(visits, min(WIDE, visits.shape[1]))
        rows = jnp.arange(len(nodes))[:, None]
        found.append((action, most, node.q[rows, action]))
        child = jnp.abs(node.child[rows, action]).astype(jnp.int32)
        nodes, real = child.ravel(), ((most > 0) & (child > 0)).ravel()
    return found


def _nested(plies: list[Any], ply: int, row: int) -> list[list[Any]]:
    """[action, visits, value, what follows] of each, the most visited first."""
    if ply == len(plies):
        return []
    action, visits, value = (np.asarray(x)[row] for x in plies[ply])
    wide = len(action)
    return [
        [int(action[i]), int(visits[i]), round(float(value[i]), 4),
         _nested(plies, ply + 1, row * wide + i)]
        for i in range(wide) if visits[i] > 0
    ]  # fmt: skip
