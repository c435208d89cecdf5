"""The search tree of a batch: arrays with a row for each root and a slot for each node.

Everything is kept from player 0's point of view, with a sign a node that turns it to the mover's;
there are no sign tricks for callers. The statistics of a node's edges lie side by side, so that a
step down the tree is one gather of contiguous memory, whatever the size of the tree.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from ..core.task import State

VISITS, TOTAL, LOGIT, CHILD = range(4)
"""Slots of an edge. CHILD is 0 for none, else the index of the node it leads to, negated once the
edge is settled: its node is terminal or its value is proven, and TOTAL / VISITS is exact."""
SIGN, REWARD, VALUE = range(3)
"""Slots of a node: the mover's sign, the reward on entering, and the evaluator's value."""
FORBIDDEN = -1e9
"""The logit of an illegal action; finite, so that arithmetic on it cannot give NaN."""
LARGEST = 2**24
"""The most nodes beside the root: indices and visits are kept as floats, exact up to here."""


class Form(NamedTuple):
    """How to read a state from its bytes."""

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], Any], ...]


class Tree(eqx.Module):
    """`edges[b, node, slot, action]`, `nodes[b, node, slot]` and the states, node 0 the root.

    A state is a row of bytes. In arrays of their own, leaves that move from one to another (the
    stones of two players) would make XLA copy whole arrays at every simulation.
    """

    edges: Float[Array, "batch nodes 4 actions"]
    nodes: Float[Array, "batch nodes 3"]
    states: UInt8[Array, "batch nodes bytes"]
    form: Form = eqx.field(static=True)
    prove: bool = eqx.field(static=True)
    """Whether certain values are proved; without it terminal edges are edges like any other."""

    def at(self, node: Int[Array, " batch"]) -> "NodeView":
        """The statistics of one node of each row."""
        rows = jnp.arange(self.edges.shape[0])
        edges, nodes = self.edges[rows, node], self.nodes[rows, node]
        return NodeView(
            edges[:, VISITS], edges[:, TOTAL], edges[:, LOGIT], edges[:, CHILD],
            (edges[:, CHILD] < 0) & self.prove,
            nodes[:, SIGN], nodes[:, VALUE] * nodes[:, SIGN],
        )  # fmt: skip

    def state(self, node: Int[Array, " batch"]) -> State:
        """The task state of one node of each row."""
        rows = jnp.arange(self.edges.shape[0])
        return unpack(self.states[rows, node], self.form)


class NodeView(eqx.Module):
    """One node of each row, seen by its player to move. Logits are `FORBIDDEN` where illegal.

    `settled` says which actions' returns are proved; none where the search proves nothing.
    """

    visits: Float[Array, "batch actions"]
    total: Float[Array, "batch actions"]
    logits: Float[Array, "batch actions"]
    child: Float[Array, "batch actions"]
    settled: Bool[Array, "batch actions"]
    sign: Float[Array, " batch"]
    value: Float[Array, " batch"]

    @property
    def legal(self) -> Bool[Array, "batch actions"]:
        """Which actions the rules allow."""
        return self.logits > FORBIDDEN / 2

    @property
    def q(self) -> Float[Array, "batch actions"]:
        """Mean return of each action for the player to move; 0 where unvisited."""
        return self.total * self.sign[:, None] / jnp.maximum(self.visits, 1)

    @property
    def prior(self) -> Float[Array, "batch actions"]:
        """The evaluator's distribution over legal actions."""
        return jax.nn.softmax(self.logits, axis=-1) * self.legal


def empty(root: State, actions: int, capacity: int, prove: bool) -> Tree:
    """A tree with room for the root and `capacity` more nodes in each row."""
    leaves, structure = jax.tree.flatten(root)
    form = Form(structure, tuple((x.shape[1:], jnp.dtype(x.dtype)) for x in leaves))
    first = pack(root)
    room = (first.shape[0], capacity + 1)
    return Tree(
        jnp.zeros((*room, 4, actions)),
        jnp.zeros((*room, 3)),
        jnp.zeros((*room, first.shape[1]), jnp.uint8).at[:, 0].set(first),
        form,
        prove,
    )


def pack(state: State) -> UInt8[Array, "batch bytes"]:
    """A batch of states as bytes, leaf after leaf."""

    def flat(x: Array) -> Array:
        x = x.astype(jnp.uint8) if x.dtype == jnp.bool_ else x
        return jax.lax.bitcast_convert_type(x, jnp.uint8).reshape(x.shape[0], -1)

    return jnp.concatenate([flat(jnp.asarray(x)) for x in jax.tree.leaves(state)], axis=1)


def unpack(packed: UInt8[Array, "batch bytes"], form: Form) -> State:
    """The states that `pack` made bytes of."""
    leaves, start = [], 0
    for shape, dtype in form.leaves:
        size = math.prod(shape) * dtype.itemsize
        part, start = packed[:, start : start + size], start + size
        if dtype == jnp.bool_:
            leaves.append(part.reshape(-1, *shape) > 0)
        else:
            width = () if dtype.itemsize == 1 else (dtype.itemsize,)
            part = part.reshape(-1, *shape, *width)
            leaves.append(jax.lax.bitcast_convert_type(part, dtype))
    return jax.tree.unflatten(form.structure, leaves)


def size_in_bytes(root: State, actions: int, capacity: int) -> int:
    """How much memory `empty` would take, computed before anything is allocated."""
    leaves: list[Any] = jax.tree.leaves(root)
    state = sum(x.nbytes // x.shape[0] for x in leaves)
    return leaves[0].shape[0] * (capacity + 1) * (4 * 4 * actions + 3 * 4 + state)
