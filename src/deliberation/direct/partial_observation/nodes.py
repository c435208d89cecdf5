"""What a search over histories keeps: nodes without states, and what each row spent."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..tree_search.picker import Schedule
from ..tree_search.tree import FORBIDDEN, NodeView

VISITS, TOTAL, LOGIT = range(3)
"""Slots of an edge; TOTAL is the sum of returns for the node's own player."""


class Histories(eqx.Module):
    """The nodes of each row and a hash table that finds them; node 0 is the root.

    Node n was made by simulation n; a simulation that meets nothing new leaves its node unused.
    """

    edges: Float[Array, "batch nodes 3 actions"]
    value: Float[Array, "batch nodes"]
    span: Float[Array, "batch nodes 2"]
    """The least and the greatest return from each node; the other way round where there is none."""
    keys: UInt32[Array, "batch nodes 2"]
    table: Int[Array, "batch slots"]
    judged: bool = eqx.field(static=True)
    """Whether the roots were judged, as all other nodes are."""


class Outcome(eqx.Module):
    """A finished search, and what each row spent and met.

    `faults` says what was NaN or infinite (`faults.FAULT_OF`), `stuck` where a simulation came to a
    live state without a legal action, `done` which rows have nothing to search.
    """

    nodes: Histories
    schedule: Schedule
    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]
    evaluations: Int[Array, " batch"]
    faults: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]
    done: Bool[Array, " batch"]


def view_of(
    tree: Histories, node: Int[Array, " batch"], legal: Bool[Array, "batch actions"]
) -> NodeView:
    """One node of each row as its player to move sees it."""
    rows, zeros = jnp.arange(node.shape[0]), jnp.zeros_like(legal, jnp.float32)
    edges, value = tree.edges[rows, node], tree.value[rows, node]
    visits, total, ones = edges[:, VISITS], edges[:, TOTAL], jnp.ones_like(value)
    return NodeView(
        visits=visits,
        q=total / jnp.maximum(visits, 1),
        logits=jnp.where(legal, edges[:, LOGIT], FORBIDDEN),
        child=zeros,
        settled=zeros > 0,
        sign=ones,
        value=value,
        total=total.sum(-1) + value,
        count=visits.sum(-1) + jnp.where(node == 0, float(tree.judged), 1.0),
        chance=ones < 0,
        low=tree.span[rows, node, 0],
        high=tree.span[rows, node, 1],
    )
