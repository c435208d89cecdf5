"""The trees of a search by the names of mctx's: as plain arrays, or read off this library's own."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...core.errors import BatchMismatchError
from ..tree_search.tree import (
    ACTION,
    CHILD,
    COUNT,
    DISCOUNT,
    LOGIT,
    PARENT,
    REWARD,
    TOTAL,
    VALUE,
    VISITS,
    Form,
    Q,
    unpack,
)
from .types import Record, SearchSummary, record


class Readable(Record):
    """What plain and grown trees share."""

    ROOT_INDEX: ClassVar[int] = 0
    NO_PARENT: ClassVar[int] = -1
    UNVISITED: ClassVar[int] = -1

    @property
    def num_actions(self) -> int:
        """How many actions a node has."""
        return self["children_index"].shape[-1]

    @property
    def num_simulations(self) -> int:
        """How many simulations there is room for."""
        return self["node_visits"].shape[-1] - 1


@record
class Tree(Readable):
    """A search tree as arrays: a batch of them, or one row (under `jax.vmap`).

    Every field has a leading batch axis, then (but for the last two) one for the nodes: 0 the root,
    n the one made by simulation n; the `children_` fields then have one for the actions. -1 stands
    for no node and no action. Values and rewards are what the player to move at their node (the
    parent, for `children_` ones) makes of them, once multiplied by the discounts.
    """

    node_visits: Any
    raw_values: Any
    node_values: Any
    parents: Any
    action_from_parent: Any
    children_index: Any
    children_prior_logits: Any
    children_visits: Any
    children_rewards: Any
    children_discounts: Any
    children_values: Any
    embeddings: Any
    root_invalid_actions: Any
    extra_data: Any
    # The three constants once more: mctx's trees count them among their fields in `to_tuple`.
    ROOT_INDEX: ClassVar[int] = 0
    NO_PARENT: ClassVar[int] = -1
    UNVISITED: ClassVar[int] = -1

    def qvalues(self, indices: Any) -> Float[Array, "*batch actions"]:
        """Reward and discounted value behind each action: one node of each row, or one of one."""
        found = self.children_rewards + self.children_discounts * self.children_values
        return _at(found, indices)

    def summary(self) -> SearchSummary:
        """The statistics of the roots."""
        _check_batched(self.node_values)
        root = jnp.zeros(self.node_values.shape[0], jnp.int32)
        return _summary(
            self.children_visits[:, 0].astype(self.node_values.dtype), self.node_values[:, 0],
            self.qvalues(root),
        )  # fmt: skip


def _at(found: Float[Array, "*batch nodes actions"], indices: Any) -> Array:
    if jnp.ndim(indices):
        return jax.vmap(lambda row, index: row[index])(found, indices)
    if found.ndim != 2:
        raise BatchMismatchError(
            f"qvalues() of {found.shape[0]} trees needs a node index for each of them; got one."
        )
    return found[indices]


def _summary(visits: Array, value: Array, qvalues: Array) -> SearchSummary:
    total = visits.sum(-1, keepdims=True)
    shares = jnp.where(total > 0, visits / jnp.maximum(total, 1), 1 / visits.shape[-1])
    return SearchSummary(visit_counts=visits, visit_probs=shares, value=value, qvalues=qvalues)


def _check_batched(node_values: Array) -> None:
    if node_values.ndim != 2:
        raise BatchMismatchError(
            f"summary() is of a batch of trees; the nodes of this one have shape "
            f"{list(node_values.shape)}. Take it before `jax.vmap`, or give the row an axis."
        )


class GrownTree(Readable, eqx.Module):
    """A `Tree` as the search engine left it, each field worked out when it is read.

    Its leaves, for `jax.tree`, are the engine's arrays; `replace` (also of nothing) gives a `Tree`
    of plain ones.
    """

    names: ClassVar[tuple[str, ...]] = Tree.names
    plain: ClassVar[type] = Tree

    edges: Float[Array, "*batch nodes 4 width"]
    nodes: Float[Array, "*batch nodes 11"]
    states: Array
    root_invalid_actions: Array
    extra_data: Any
    form: Form = eqx.field(static=True)
    shown: int = eqx.field(static=True)
    """The actions; what lies beyond them in an edge array are outcomes of chance."""

    given: bool = eqx.field(static=True)
    """Whether the edges hold the logits as the model gave them."""

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
        return self.edges[..., LOGIT, :] if self.given else self._state[1]

    def qvalues(self, indices: Any) -> Float[Array, "*batch actions"]:
        """Reward and discounted value behind each action: one node of each row, or one of one."""
        return _at(self.edges[..., Q, : self.shown], indices)

    def summary(self) -> SearchSummary:
        """The statistics of the roots."""
        _check_batched(self.nodes[..., TOTAL])
        root = self.edges[:, 0, :, : self.shown]
        return _summary(root[:, VISITS], self.nodes[:, 0, TOTAL], root[:, Q])

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


# So that `isinstance(tree, Tree)` holds for both.
Tree.register(GrownTree)
