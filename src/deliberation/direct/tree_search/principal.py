"""What is told of a finished tree: its root's statistics, and the line that it holds best."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.root import RootStatistics
from ...core.task import Traits
from .models.sampled import Drawn
from .tree import CHILD, NodeView, Tree

Name = Callable[[Int[Array, " batch"], Int[Array, " batch"]], Int[Array, " batch"]]
"""From nodes and slots of their edges to actions."""


def statistics(
    line: int,
    tree: Tree,
    answer: Int[Array, " batch"],
    traits: Traits,
    has_prior: bool,
    drawn: Drawn | None,
) -> RootStatistics:
    """Visits, values and prior at the roots, and so many actions of the line from the `answer`.

    `answer` is a slot of each root's edges, `drawn` the actions behind them where they are sampled.
    """
    root = tree.root
    visits = jnp.where(root.legal, root.visits, 0.0)
    told = (visits, jnp.where(visits > 0, root.q, 0.0), root.prior)
    if drawn is not None and traits.discrete:
        told = _spread(drawn, traits.actions, *told)
    elif traits.discrete:
        # A node may be wider than the task's actions: outcomes of chance share its slots.
        told = tuple(x[:, : traits.actions] for x in told)
    asked = line if traits.discrete else 0
    batch = jnp.arange(answer.shape[0])

    def name(node: Int[Array, " batch"], slot: Int[Array, " batch"]) -> Int[Array, " batch"]:
        return slot if drawn is None else tree.state(batch, node).actions[batch, slot]

    variation = principal_variation(tree, answer, root.legal.any(-1), asked, name)
    return RootStatistics(told[0], told[1], told[2] if has_prior else None, variation)


def _spread(
    drawn: Drawn, actions: int, visits: Array, values: Array, prior: Array
) -> tuple[Array, Array, Array]:
    """From the edges of sampled actions to all actions; the sum where one was drawn twice."""
    rows, blank = jnp.arange(visits.shape[0])[:, None], jnp.zeros((visits.shape[0], actions))

    def put(x: Array) -> Array:
        return blank.at[rows, drawn.actions].add(x)

    count = put(visits)
    return count, put(visits * values) / jnp.maximum(count, 1), put(prior)


def principal_variation(
    tree: Tree,
    first: Int[Array, " batch"],
    live: Bool[Array, " batch"],
    depth: int,
    name: Name,
) -> Int[Array, "batch depth"]:
    """So many actions from the roots on, the first one given; -1 where the tree holds no more.

    Each next one is the most visited, of equals that of the greatest value, or one that is proved
    to be worth more than it.
    """
    rows = jnp.arange(first.shape[0])
    if depth == 0:
        return jnp.zeros((first.shape[0], 0), jnp.int32)

    def step(at: tuple, _: None) -> tuple[tuple, Array]:
        node, slot, going = at
        told = jnp.where(going, name(node, slot), -1)
        child = jnp.abs(tree.edges[rows, node, CHILD, slot]).astype(jnp.int32)
        ahead = tree.at(rows, child)
        visited = ahead.legal & (ahead.visits > 0)
        going = going & (child > 0) & ~ahead.chance & visited.any(-1)
        return (child, _best(ahead, visited), going), told.astype(jnp.int32)

    start = (jnp.zeros_like(rows, jnp.int32), first.astype(jnp.int32), live)
    return jax.lax.scan(step, start, None, length=depth)[1].T


def _best(node: NodeView, visited: Bool[Array, "batch actions"]) -> Int[Array, " batch"]:
    """What either player is held to do at a node."""
    most = visited & (node.visits == jnp.where(visited, node.visits, 0).max(-1, keepdims=True))
    chosen = jnp.argmax(jnp.where(most, node.q, -jnp.inf), axis=-1)
    proved: Float[Array, "batch actions"] = jnp.where(visited & node.settled, node.q, -jnp.inf)
    mean = jnp.take_along_axis(node.q, chosen[:, None], axis=-1)[:, 0]
    better = proved.max(-1) > mean
    return jnp.where(better, jnp.argmax(proved, axis=-1), chosen).astype(jnp.int32)
