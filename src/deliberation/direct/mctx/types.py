"""What goes into and comes out of a search in mctx's manner: records, and the tree by its names.

The records are frozen, take keywords, and are pytrees and mappings, as mctx's are; a function may
also return mctx's own. Nothing here imports mctx.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar, dataclass_transform

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..tree_search.tree import (
    ACTION,
    CHILD,
    COUNT,
    DISCOUNT,
    PARENT,
    REWARD,
    TOTAL,
    VALUE,
    VISITS,
    Form,
    Q,
    unpack,
)

T = TypeVar("T", bound=type)


class Record(Mapping[str, Any]):
    """Fields that are also items."""

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self))

    def __len__(self) -> int:
        return len(vars(self))

    def replace(self, **changes: Any) -> Any:
        """The same with other values in some fields."""
        return type(self)(**{**vars(self), **changes})


@dataclass_transform(kw_only_default=True, frozen_default=True)
def record(cls: T) -> T:
    """A frozen, keyword-only pytree."""
    made = dataclasses.dataclass(frozen=True, kw_only=True, eq=False)(cls)
    return jax.tree_util.register_dataclass(made)


@record
class RootFnOutput(Record):
    """The roots of a batch: `prior_logits[B, A]`, `value[B]` and any pytree `embedding[B, ...]`."""

    prior_logits: Any
    value: Any
    embedding: Any


@record
class RecurrentFnOutput(Record):
    """What a model says of a step: `reward[B]`, `discount[B]`, `prior_logits[B, A]`, `value[B]`.

    The discount turns the value of the new state into the view of the player who moved: negative
    where the mover changes, 0 where the episode ends.
    """

    reward: Any
    discount: Any
    prior_logits: Any
    value: Any


@record
class DecisionRecurrentFnOutput(Record):
    """What a model says of an action, before the outcome of chance.

    `chance_logits[B, C]` over the outcomes, and the `afterstate_value[B]`.
    """

    chance_logits: Any
    afterstate_value: Any


@record
class ChanceRecurrentFnOutput(Record):
    """What a model says of an outcome of chance: `action_logits[B, A]`, and one `[B]` each."""

    action_logits: Any
    value: Any
    reward: Any
    discount: Any


@record
class StochasticRecurrentState(Record):
    """A node's embedding where decisions and chance alternate; one of the two is a dummy."""

    state_embedding: Any
    afterstate_embedding: Any
    is_decision_node: Any


@record
class GumbelMuZeroExtraData(Record):
    """The Gumbel noise of the roots, scaled: `root_gumbel[B, A]`."""

    root_gumbel: Any


@record
class SearchSummary(Record):
    """The roots after a search: three `[B, A]`, and the `value[B]`, the mean of all returns."""

    visit_counts: Any
    visit_probs: Any
    value: Any
    qvalues: Any


@record
class PolicyOutput(Record):
    """The `action[B]` to take, the `action_weights[B, A]` to train a prior on, and the tree.

    A row in which the model gave NaN or infinity has action -1 and weights NaN.
    """

    action: Any
    action_weights: Any
    search_tree: Any


class Tree(eqx.Module):
    """A finished search (or one row of it, under vmap), read by the names of mctx's tree.

    The engine's own arrays are kept; each field is worked out when it is read. Every one has a
    leading batch axis, then one for the nodes: 0 the root, n the one made by simulation n.
    """

    edges: Float[Array, "*batch nodes 4 width"]
    nodes: Float[Array, "*batch nodes 9"]
    states: Array
    root_invalid_actions: Array
    extra_data: Any
    form: Form = eqx.field(static=True)
    shown: int = eqx.field(static=True)
    """The actions; what lies beyond them in an edge array are outcomes of chance."""

    ROOT_INDEX: ClassVar[int] = 0
    NO_PARENT: ClassVar[int] = -1
    UNVISITED: ClassVar[int] = -1

    @property
    def num_actions(self) -> int:
        """How many actions a node has."""
        return self.shown

    @property
    def num_simulations(self) -> int:
        """How many simulations there is room for."""
        return self.nodes.shape[-2] - 1

    @property
    def node_visits(self) -> Int[Array, "*batch nodes"]:
        """How often each node was passed or evaluated."""
        return self.nodes[..., COUNT].astype(jnp.int32)

    @property
    def raw_values(self) -> Float[Array, "*batch nodes"]:
        """What the model took each node to be worth."""
        return self.nodes[..., VALUE]

    @property
    def node_values(self) -> Float[Array, "*batch nodes"]:
        """The mean of the returns from each node."""
        return self.nodes[..., TOTAL]

    @property
    def parents(self) -> Int[Array, "*batch nodes"]:
        """The node above each, -1 for none."""
        return self._above(PARENT)

    @property
    def action_from_parent(self) -> Int[Array, "*batch nodes"]:
        """The action that leads to each node, -1 for none."""
        return self._above(ACTION)

    @property
    def children_index(self) -> Int[Array, "*batch nodes actions"]:
        """The node behind each edge, -1 for none."""
        child = self._children
        return jnp.where(child > 0, child, self.UNVISITED)

    @property
    def children_prior_logits(self) -> Float[Array, "*batch nodes actions"]:
        """The logits as the model gave them; at the root with noise and without what is invalid."""
        return self.logits[..., : self.shown]

    @property
    def children_visits(self) -> Int[Array, "*batch nodes actions"]:
        """How often each edge was taken."""
        return self.edges[..., VISITS, : self.shown].astype(jnp.int32)

    @property
    def children_rewards(self) -> Float[Array, "*batch nodes actions"]:
        """The reward along each edge, 0 where unvisited; as are the next two."""
        return self._below(REWARD)

    @property
    def children_discounts(self) -> Float[Array, "*batch nodes actions"]:
        """What the value behind each edge is multiplied by in the view of the node above."""
        return self._below(DISCOUNT)

    @property
    def children_values(self) -> Float[Array, "*batch nodes actions"]:
        """The value of the node behind each edge."""
        return self._below(TOTAL)

    @property
    def embeddings(self) -> Any:
        """The model's states, each leaf `[batch, nodes, ...]`."""
        return self._state[0]

    @property
    def logits(self) -> Float[Array, "*batch nodes width"]:
        """The logits of actions and, after those, of outcomes of chance."""
        return self._state[1]

    def qvalues(self, indices: Any) -> Float[Array, "*batch actions"]:
        """Reward and discounted value behind each action: one node of each row, or one of one."""
        if self.edges.ndim == 3:
            return self.edges[indices, Q, : self.shown]
        return self.edges[jnp.arange(self.edges.shape[0]), indices, Q, : self.shown]

    def summary(self) -> SearchSummary:
        """The statistics of the roots."""
        visits = self.edges[:, 0, VISITS, : self.shown]
        total = visits.sum(-1, keepdims=True)
        shares = jnp.where(total > 0, visits / jnp.maximum(total, 1), 1 / self.shown)
        return SearchSummary(
            visit_counts=visits, visit_probs=shares, value=self.nodes[:, 0, TOTAL],
            qvalues=self.edges[:, 0, Q, : self.shown],
        )  # fmt: skip

    @property
    def _children(self) -> Int[Array, "*batch nodes actions"]:
        return self.edges[..., CHILD, : self.shown].astype(jnp.int32)

    def _above(self, slot: int) -> Int[Array, "*batch nodes"]:
        there = (self.nodes[..., COUNT] > 0) & (jnp.arange(self.nodes.shape[-2]) > 0)
        return jnp.where(there, self.nodes[..., slot].astype(jnp.int32), self.NO_PARENT)

    def _below(self, slot: int) -> Float[Array, "*batch nodes actions"]:
        child, values = self._children, self.nodes[..., slot]
        flat = child.reshape(*values.shape[:-1], -1)
        found = jnp.take_along_axis(values, flat, -1).reshape(child.shape)
        return jnp.where(child > 0, found, 0.0)

    @property
    def _state(self) -> Any:
        """(embedding, logits) of every node."""
        lead = self.states.shape[:-1]
        flat = unpack(self.states.reshape(-1, self.states.shape[-1]), self.form)
        return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), flat)
