"""The search tree of a batch: arrays with a row for each root and a slot for each node.

Every number is what the player to move at its own node makes of it; going up an edge turns it to
the parent's mover by the node's discount (negative where the mover changes), so there are no sign
tricks for callers. The statistics of a node's edges lie side by side: a step down the tree is one
gather of contiguous memory, whatever the size of the tree. Both back ends (`portable` and `native`)
work on these arrays.
"""

import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from ...core.host import plain, plain_like, restored
from ...core.masks import FORBIDDEN
from ...core.task import State

VISITS, Q, LOGIT, CHILD = range(4)
"""Slots of an edge. Q is the mean return by this action, 0 where unvisited. LOGIT is the log of the
prior. CHILD is 0 for none, else the index of the node it leads to, negated once the edge is
settled: its node is terminal or its value is proven, and Q is exact."""
COUNT, TOTAL, VALUE, REWARD, DISCOUNT, SIGN, PARENT, ACTION, CHANCE, LOW, HIGH = range(11)
"""Slots of a node: the COUNT and the TOTAL of the returns from it, its own evaluation among them
(sums keep exact ties exact, whatever the order; see `Bookkeeping` for means); the VALUE it was
evaluated at, or is proved to have; the REWARD on entering for the parent's mover; the DISCOUNT that
turns what follows to the parent's view; the mover's SIGN (1 for player 0, -1 for player 1); its
PARENT and the ACTION that leads here from there; whether it is a CHANCE node, whose edges are
outcomes; and the least (LOW) and the greatest (HIGH) return that was met from it, or that can be
where that is known (LOW above HIGH: none yet)."""
NODE_SLOTS = 11
LARGEST = 2**24
"""The most nodes beside the root: indices and visits are kept as floats, exact up to here."""


class Bookkeeping(NamedTuple):
    """How a tree numbers its nodes and averages returns; the default is this library's own.

    `numbering`: a node's index is its rank in order of "creation", or the number of the
    "simulation" that made it (from 1; the index of a simulation that made no node stays empty).
    `backup`: TOTAL is the "sum" of the returns, or their running "mean" (v n + x) / (n + 1). With
    the mean, a node that is reached again, at the depth limit, is evaluated anew and written over.
    """

    numbering: Literal["creation", "simulation"] = "creation"
    backup: Literal["sum", "mean"] = "sum"

    @property
    def by_simulation(self) -> bool:
        """Whether every simulation takes up an index, and not only those that make a node."""
        return self.numbering == "simulation"

    @property
    def means(self) -> bool:
        """Whether TOTAL is a running mean."""
        return self.backup == "mean"


OWN = Bookkeeping()
MCTX = Bookkeeping("simulation", "mean")
"""Node for node, and to rounding, the trees of mctx."""


class Form(NamedTuple):
    """How to read a state from its bytes: the shape and type of each leaf without the batch."""

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], Any], ...]

    @staticmethod
    def of(state: State) -> "Form":
        """That of a batch of states."""
        leaves, structure = jax.tree.flatten(state)
        return Form(structure, tuple((x.shape[1:], x.dtype) for x in leaves))

    def is_like(self, other: "Form") -> bool:
        """Whether both read the same states.

        A structure that was copied or saved does not equal its original (Equinox marks what is
        absent by an object of its own), but is written alike.
        """
        return (str(self.structure), self.leaves) == (str(other.structure), other.leaves)


class Tree(eqx.Module):
    """`edges[b, node, slot, action]`, `nodes[b, node, slot]` and the states, node 0 the root.

    `size` is the next free index of each row. A state is a row of bytes: in arrays of their own,
    leaves that move from one to another (the stones of two players) would make XLA copy whole
    arrays at every simulation.
    """

    edges: Float[Array, "batch nodes 4 actions"]
    nodes: Float[Array, "batch nodes 11"]
    states: UInt8[Array, "batch nodes bytes"]
    size: Int[Array, " batch"]
    form: Form = eqx.field(static=True)
    prove: bool = eqx.field(static=True)
    """Whether certain values are proved; without it terminal edges are edges like any other."""
    books: Bookkeeping = eqx.field(static=True, default=OWN)

    @property
    def root(self) -> "NodeView":
        """The statistics of the roots."""
        return view(self.edges[:, 0], self.nodes[:, 0], self.prove)

    def at(self, rows: Int[Array, " lanes"], node: Int[Array, " lanes"]) -> "NodeView":
        """The statistics of one node for each lane, a lane being a row and a node in it."""
        return view(self.edges[rows, node], self.nodes[rows, node], self.prove)

    def state(self, rows: Int[Array, " lanes"], node: Int[Array, " lanes"]) -> State:
        """The task state of one node for each lane."""
        return unpack(self.states[rows, node], self.form)


class NodeView(eqx.Module):
    """One node of each row or lane, seen by its player to move. Logits are `FORBIDDEN` if illegal.

    `settled` says which actions' returns are proved; none where the search proves nothing. `value`
    is what the node was evaluated at or is proved to be worth; `total` is the sum of the `count`
    returns from it, the evaluation among them. They lie between `low` and `high`: what was met, or
    what can be met where that is known; `low` is above `high` where nothing was met.
    """

    visits: Float[Array, "batch actions"]
    q: Float[Array, "batch actions"]
    logits: Float[Array, "batch actions"]
    child: Float[Array, "batch actions"]
    settled: Bool[Array, "batch actions"]
    sign: Float[Array, " batch"]
    value: Float[Array, " batch"]
    total: Float[Array, " batch"]
    count: Float[Array, " batch"]
    chance: Bool[Array, " batch"]
    low: Float[Array, " batch"]
    high: Float[Array, " batch"]

    @property
    def legal(self) -> Bool[Array, "batch actions"]:
        """Which actions the rules allow."""
        return self.logits > FORBIDDEN / 2

    @property
    def mean(self) -> Float[Array, " batch"]:
        """Mean return from here; 0 where there was none."""
        return self.total / jnp.maximum(self.count, 1)

    @property
    def prior(self) -> Float[Array, "batch actions"]:
        """The evaluator's distribution over legal actions."""
        return jnp.exp(self.logits) * self.legal


def view(
    edges: Float[Array, "batch 4 actions"], nodes: Float[Array, "batch 11"], prove: bool
) -> NodeView:
    """Name the slots of one node of each row."""
    return NodeView(
        edges[:, VISITS], edges[:, Q], edges[:, LOGIT], edges[:, CHILD],
        (edges[:, CHILD] < 0) & prove,
        nodes[:, SIGN], nodes[:, VALUE], nodes[:, TOTAL], nodes[:, COUNT], nodes[:, CHANCE] > 0,
        nodes[:, LOW], nodes[:, HIGH],
    )  # fmt: skip


def log_prior(
    logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> Float[Array, "batch actions"]:
    """The log of the distribution that logits give over legal actions; `FORBIDDEN` elsewhere.

    Legal ones stay well above `FORBIDDEN`, however far apart an evaluator puts them.
    """
    top = jnp.where(legal, logits, -jnp.inf).max(-1, keepdims=True)
    shifted = logits - jnp.where(jnp.isfinite(top), top, 0.0)
    mass = jnp.where(legal, jnp.exp(shifted), 0.0).sum(-1, keepdims=True)
    shifted = shifted - jnp.log(jnp.maximum(mass, 1e-30))
    return jnp.where(legal, jnp.maximum(shifted, FORBIDDEN / 10), FORBIDDEN)


def empty(root: State, actions: int, capacity: int, prove: bool, books: Bookkeeping = OWN) -> Tree:
    """A tree with room for the root and `capacity` more nodes in each row."""
    form = Form.of(root)
    first = pack(root)
    room = (first.shape[0], capacity + 1)
    return Tree(
        jnp.zeros((*room, 4, actions), jnp.float32),
        jnp.zeros((*room, NODE_SLOTS), jnp.float32),
        jnp.zeros((*room, first.shape[1]), jnp.uint8).at[:, 0].set(first),
        jnp.ones(first.shape[0], jnp.int32),
        form,
        prove,
        books,
    )


def pack(state: State) -> UInt8[Array, "batch bytes"]:
    """A batch of states as bytes, leaf after leaf; random keys by their words."""

    def flat(x: Array) -> Array:
        x = x.astype(jnp.uint8) if x.dtype == jnp.bool_ else x
        return jax.lax.bitcast_convert_type(x, jnp.uint8).reshape(x.shape[0], _size(x))

    return jnp.concatenate([flat(plain(x)) for x in jax.tree.leaves(state)], axis=1)


def unpack(packed: UInt8[Array, "batch bytes"], form: Form) -> State:
    """The states that `pack` made bytes of."""
    leaves, start = [], 0
    for shape, dtype in form.leaves:
        kept = plain_like((packed.shape[0], *shape), dtype)
        size = _size(kept)
        part, start = packed[:, start : start + size], start + size
        if dtype == jnp.bool_:
            leaves.append(part.reshape(kept.shape) > 0)
        else:
            width = () if kept.dtype.itemsize == 1 else (kept.dtype.itemsize,)
            numbers = jax.lax.bitcast_convert_type(part.reshape(*kept.shape, *width), kept.dtype)
            leaves.append(restored(numbers, dtype))
    return jax.tree.unflatten(form.structure, leaves)


def size_in_bytes(root: State, actions: int, capacity: int) -> int:
    """How much memory `empty` would take, computed before anything is allocated."""
    leaves: list[Any] = [jax.eval_shape(plain, x) for x in jax.tree.leaves(root)]
    state = sum(_size(x) for x in leaves)
    node = 4 * 4 * actions + 4 * NODE_SLOTS + state
    return leaves[0].shape[0] * ((capacity + 1) * node + 4)


def _size(x: Any) -> int:
    """The bytes of each row of a plain array."""
    return math.prod(x.shape[1:]) * x.dtype.itemsize
