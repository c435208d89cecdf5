"""A tree of choices with a reward on every edge: how far ahead does a decider look?

Every path is as long as the tree is deep. Change the reward of edges at one depth and see whether
the first choice follows (reward revaluation by depth): a decider that looks k actions ahead follows
changes at depths up to k and no others.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_sizes

TASKS = {
    "reward_tree": {
        "summary": "A tree with rewards on its edges, revalued by depth; options depth, branches",
        "factory": "RewardTree",
        "options": {"depth": 6, "branches": 2},
    },
}

_LARGEST = 1 << 20


class TreeState(eqx.Module):
    """The node, numbered breadth first from 0, and how many actions led to it."""

    node: Int[Array, ""]
    depth: Int[Array, ""]


class EdgeRewards(SoloObjective):
    """A reward for each edge, `rewards[node, action]`; data, so that it can be handed over."""

    rewards: Float[Array, "nodes branches"]

    def reward(
        self, state: TreeState, action: Int[Array, ""], after: TreeState
    ) -> Float[Array, ""]:
        """That of the edge taken."""
        return self.rewards[state.node, action]

    def optimum(self, state: TreeState) -> Float[Array, ""]:
        """The best path down from a node, worked out from the leaves up."""
        nodes, branches = self.rewards.shape
        depth = _depth_of(nodes, branches)
        values = jnp.zeros(branches**depth)
        found = [values]
        for level in reversed(range(depth)):
            first = _first(level, branches)
            edges = self.rewards[first : first + branches**level]
            values = (edges + values.reshape(-1, branches)).max(1)
            found.insert(0, values)
        return jnp.concatenate(found)[state.node]


class RewardTree(SoloTask):
    """Go down a tree of `depth` levels; action a takes the a-th of `branches` edges.

    Usually only the first edge of the root pays, 1. `revalued(depth)` gives the objective in which
    all edges at that depth (from 1) below another edge of the root pay 2 as well, so that this is
    the better choice for whoever looks so far; with `everywhere` so do those below the first edge,
    and the choice stays. Raises `ValueError` for sizes below 1 by 2 or of over a million nodes.
    """

    depth: int = eqx.field(static=True, default=6)
    branches: int = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        check_sizes("A reward tree", _LARGEST.bit_length() - 1, depth=self.depth)
        if self.depth < 1 or self.branches < 2 or self.branches**self.depth > _LARGEST:
            raise ValueError(
                "A reward tree needs a depth of at least 1, 2 branches or more and at most "
                f"{_LARGEST:,} leaves; got depth={self.depth}, branches={self.branches}."
            )

    @property
    def traits(self) -> Traits:
        """One player, no chance, every episode as long as the tree is deep."""
        return Traits(players=1, actions=self.branches, horizon=self.depth)

    @property
    def objective(self) -> EdgeRewards:
        """One for the first edge of the root."""
        return EdgeRewards(self._usual())

    def _usual(self) -> Float[Array, "nodes branches"]:
        nodes = _first(self.depth, self.branches)
        return jnp.zeros((nodes, self.branches)).at[0, 0].set(1.0)

    def revalued(
        self, depth: int, gain: float = 2.0, branch: int = 1, everywhere: bool = False
    ) -> EdgeRewards:
        """The usual rewards, and `gain` more on the edges at `depth` below a branch of the root.

        Raises `ValueError` for a depth or branch that the tree has not.
        """
        if not 1 <= depth <= self.depth or not 0 <= branch < self.branches:
            raise ValueError(
                f"{self!r} has depths 1 to {self.depth} and branches 0 to {self.branches - 1}; "
                f"got depth={depth}, branch={branch}."
            )
        first, count = _first(depth - 1, self.branches), self.branches ** (depth - 1)
        edges = np.arange(count * self.branches).reshape(count, self.branches)
        below = edges // self.branches ** (depth - 1)
        chosen = gain * ((below == branch) | everywhere)
        rewards = self._usual().at[first : first + count].add(chosen.astype(np.float32))
        return EdgeRewards(rewards)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Edges from the left."""
        return tuple(f"edge-{number}" for number in range(1, self.branches + 1))

    def table_seen(self, state: TreeState) -> tuple[tuple[str, str], ...]:
        """How deep one is, and the edges that led there."""
        taken = np.asarray(self.observe(state)).reshape(self.depth, self.branches)
        edges = [self.action_names[row.argmax()] for row in taken if row.any()]
        return (
            ("depth", f"{int(state.depth)} of {self.depth}"),
            ("edges taken", " ".join(edges) or "none yet"),
        )

    def init(self, key: Key[Array, ""]) -> TreeState:
        """At the root."""
        del key
        return TreeState(jnp.int32(0), jnp.int32(0))

    def advance(self, state: TreeState, action: Int[Array, ""], key: Key[Array, ""]) -> TreeState:
        """Down an edge."""
        del key
        return TreeState(self.branches * state.node + 1 + action, state.depth + 1)

    def observe(self, state: TreeState) -> Float[Array, " features"]:
        """The choices so far, each as one of `branches`; nothing where none was made yet."""
        level = jnp.arange(self.depth)
        place = state.node - jnp.asarray(_firsts(self.depth, self.branches))[state.depth]
        taken = place // self.branches ** jnp.maximum(state.depth - 1 - level, 0) % self.branches
        made = (taken[:, None] == jnp.arange(self.branches)) & (level < state.depth)[:, None]
        return made.astype(jnp.float32).ravel()

    def terminated(self, state: TreeState) -> Bool[Array, ""]:
        """At a leaf."""
        return state.depth >= self.depth


def _first(level: int, branches: int) -> int:
    """The first node of a level, that is, how many there are above."""
    return (branches**level - 1) // (branches - 1)


def _firsts(depth: int, branches: int) -> Int[np.ndarray, " levels"]:
    return np.array([_first(level, branches) for level in range(depth + 1)], np.int32)


def _depth_of(nodes: int, branches: int) -> int:
    depth = 0
    while _first(depth, branches) < nodes:
        depth += 1
    return depth
