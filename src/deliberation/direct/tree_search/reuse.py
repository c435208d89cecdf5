"""Reuse of the subtree: a tree grown for one decision is the start of the next.

What lies below the state that play has come to is kept, exactly as a search begun there would have
grown it with as many simulations as went through it: a node's statistics depend on nothing above
it. The rest is dropped, so that its room is free again.
"""

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt8, UInt32

from ...core.noise import mix
from ...core.rows import beside, where_rows
from ...core.task import State
from .engine import Outcome
from .picker import Picker
from .round import DONE
from .tree import (
    ACTION,
    CHANCE,
    CHILD,
    COUNT,
    DISCOUNT,
    LARGEST,
    PARENT,
    REWARD,
    VISITS,
    Tree,
    empty,
)

_CHUNK = 64
"""Nodes of each row that are looked at together."""


class Remembered(eqx.Module):
    """The last search of each row, as a decider's memory.

    `tree.size` is 0 where nothing is remembered; `done` marks roots whose value is proved (or which
    are terminal). `aim` stands for the objective that the tree was grown under: the returns of one
    say nothing of another.
    """

    tree: Tree
    done: Bool[Array, " batch"]
    aim: UInt32[Array, "batch 2"]


def nothing(state: State, actions: int, capacity: int, prove: bool) -> Remembered:
    """A memory for states of this form, with room for so many simulations and nothing in it."""
    blank = jax.tree.map(jnp.zeros_like, empty(state, actions, capacity, prove))
    batch = blank.size.shape[0]
    return Remembered(blank, jnp.zeros(batch, bool), jnp.zeros((batch, 2), jnp.uint32))


def remember(outcome: Outcome, aim: UInt32[Array, "2"], like: Remembered) -> Remembered:
    """Keep a search in a memory of the same room as before.

    Trees that outgrew it are forgotten, and so are those in which something was not finite.
    """
    tree, room = outcome.tree, like.tree.nodes.shape[1]
    keep = outcome.sound & ~outcome.stuck & (tree.size <= room)
    edges, nodes, states = tree.edges, tree.nodes, tree.states
    if tree.nodes.shape[1] > room:
        edges, nodes, states = edges[:, :room], nodes[:, :room], states[:, :room]
    tree = _with(tree, edges, nodes, states, jnp.where(keep, tree.size, 0))
    return Remembered(tree, outcome.done, jnp.broadcast_to(aim, like.aim.shape))


def carry(
    memory: Remembered,
    states: UInt8[Array, "batch bytes"],
    aim: UInt32[Array, "2"],
    reserve: Int[Array, " batch"],
    room: int,
) -> Remembered:
    """The remembered trees from these states on, in trees of so much room; size 0 where dropped.

    A row's is dropped if it was grown under another objective, does not hold the state, or leaves
    no room for the `reserve` of simulations in a tree of the memory's size (or of the least power
    of two that holds the reserve, if that is more): so it does not depend on the other rows.
    """
    node, there = find(memory.tree, states)
    kept = subtree(memory.tree, node)
    usual = memory.tree.nodes.shape[1]
    power = 1 << (32 - jax.lax.clz(jnp.clip(reserve, 2, LARGEST) - 1))
    own = jnp.minimum(jnp.where(reserve < usual, usual, power + 1), room)
    fits = kept.sum(1) + jnp.minimum(reserve, own - 1) <= own
    found = there & fits & (memory.aim == aim).all(1)
    done = jnp.where(node == 0, memory.done, settled(memory.tree, node))
    tree = reroot(memory.tree, node, kept & found[:, None], room)
    return Remembered(tree, found & done, memory.aim)


def go_on_from(
    carried: Remembered, new: Outcome, rule: Picker, budget: Int[Array, " batch"]
) -> Outcome:
    """A search that has spent nothing yet, on the trees carried over and on `new` roots elsewhere.

    The trees of `new` have one node each, of which those of carried rows are not looked at.
    """
    found, old = carried.tree.size > 0, carried.tree

    def with_root(name: str) -> Array:
        old, fresh = getattr(carried.tree, name), getattr(new.tree, name)
        return old.at[:, 0].set(where_rows(found, old[:, 0], fresh[:, 0]))

    edges, nodes, states = map(with_root, ("edges", "nodes", "states"))
    tree = _with(old, edges, nodes, states, jnp.where(found, old.size, 1))
    tally = where_rows(found, jnp.zeros_like(new.tally), new.tally)
    tally = tally.at[:, DONE].set(jnp.where(found, carried.done, new.done).astype(jnp.int32))
    return Outcome(tree, rule.begin(tree.root, budget, mix(new.seed, 1)), new.seed, tally)


def _with(tree: Tree, edges: Array, nodes: Array, states: Array, size: Array) -> Tree:
    """The tree with other arrays."""
    return dataclasses.replace(tree, edges=edges, nodes=nodes, states=states, size=size)


def find(
    tree: Tree, states: UInt8[Array, "batch bytes"]
) -> tuple[Int[Array, " batch"], Bool[Array, " batch"]]:
    """The most visited node of each row whose state begins so, and whether there is one.

    States are compared byte for byte; chance nodes, at which nobody moves, are no match.
    """

    def compare(start: Int[Array, ""], width: int, best: tuple) -> tuple:
        index = start + jnp.arange(width, dtype=jnp.int32)
        cut = functools.partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=width)
        nodes = cut(tree.nodes, axis=1)
        same = (cut(tree.states, axis=1)[:, :, : states.shape[1]] == states[:, None]).all(-1)
        same = same & (index < tree.size[:, None]) & (nodes[:, :, CHANCE] <= 0)
        visits = jnp.where(same, nodes[:, :, COUNT], -1.0)
        here = jnp.argmax(visits, axis=1).astype(jnp.int32)
        most = visits.max(1)
        return tuple(
            jnp.where(most > best[1], new, old)
            for new, old in zip((start + here, most), best, strict=True)
        )

    nobody = (jnp.zeros_like(tree.size), jnp.full(tree.size.shape, -1.0))
    node, visits = _by_chunks(tree.size.max(), tree.nodes.shape[1], compare, nobody)
    return node, visits >= 0


def subtree(tree: Tree, node: Int[Array, " batch"]) -> Bool[Array, "batch nodes"]:
    """Which nodes lie below one of each row, itself among them.

    Pointers to parents are doubled until they come to rest (Wyllie 1979), at the node or outside of
    its subtree: a round for each doubling of the depth.
    """
    index = jnp.arange(tree.nodes.shape[1], dtype=jnp.int32)
    top = node[:, None]
    up = jnp.where(index == top, index, tree.nodes[:, :, PARENT].astype(jnp.int32))

    def moving(up: Int[Array, "batch nodes"]) -> Bool[Array, ""]:
        return (jnp.take_along_axis(up, up, axis=1) != up).any()

    up = jax.lax.while_loop(moving, lambda up: jnp.take_along_axis(up, up, axis=1), up)
    return (up == top) & (index < tree.size[:, None])


def reroot(
    tree: Tree, node: Int[Array, " batch"], kept: Bool[Array, "batch nodes"], room: int
) -> Tree:
    """The trees below one node of each row: `kept` of `subtree`, in their order of creation.

    Array for array what a search begun at that node has after as many simulations as went through
    it, if it evaluates the root, its model is deterministic and its rule meets no exact ties. Rows
    that keep nothing are left empty, without a root. `room` counts nodes; what is kept must fit.
    """
    rows = jnp.arange(node.shape[0])[:, None]
    index = jnp.arange(kept.shape[1], dtype=jnp.int32)
    number = jnp.cumsum(kept, axis=1, dtype=jnp.int32) - 1
    size = kept.sum(1, dtype=jnp.int32)
    into = jnp.where(kept, number, room)
    source = jnp.zeros((node.shape[0], room), jnp.int32).at[rows, into].set(index, mode="drop")

    def move(start: Int[Array, ""], width: int, to: tuple) -> tuple:
        """Copy so many nodes of each row, without their children."""
        here = jax.lax.dynamic_slice_in_dim(source, start, width, axis=1)
        used = start + jnp.arange(width) < size[:, None]
        edges = tree.edges[rows, here].at[:, :, CHILD].set(0.0)
        parts = (edges, tree.nodes[rows, here], tree.states[rows, here])
        parts = (jnp.where(beside(used, x), x, jnp.zeros_like(x)) for x in parts)
        write = functools.partial(jax.lax.dynamic_update_slice_in_dim, start_index=start, axis=1)
        return tuple(write(whole, part) for whole, part in zip(to, parts, strict=True))

    from_ = (tree.edges, tree.nodes, tree.states)
    blank = tuple(jnp.zeros((x.shape[0], room, *x.shape[2:]), x.dtype) for x in from_)
    edges, nodes, states = _by_chunks(size.max(), room, move, blank)
    slot = jnp.arange(room, dtype=jnp.int32)
    parent, action = (nodes[:, :, i].astype(jnp.int32) for i in (PARENT, ACTION))
    below = (slot < size[:, None]) & (slot > 0)
    above = jnp.where(below, number[rows, parent], room)
    child = jnp.where(tree.edges[rows, parent, CHILD, action] < 0, -slot, slot)
    edges = edges.at[rows, above, CHILD, action].set(child.astype(jnp.float32), mode="drop")
    nodes = nodes.at[:, :, PARENT].set(jnp.where(below, above, 0).astype(jnp.float32))
    # A root has no parent. A settled node also counted the simulations that ended on its edge.
    moved = node > 0
    count = jnp.where(moved & (size > 0), 1 + edges[:, 0, VISITS].sum(-1), nodes[:, 0, COUNT])
    nodes = nodes.at[:, 0, COUNT].set(count)
    for into_root in (REWARD, DISCOUNT, ACTION):
        nodes = nodes.at[:, 0, into_root].set(0.0)
    return _with(tree, edges, nodes, states, size)


def _by_chunks(
    many: Int[Array, ""], room: int, body: Callable[[Int[Array, ""], int, tuple], tuple], to: tuple
) -> tuple:
    """Go over the first so many of `room` slots: what a tree does not use costs nothing."""
    width = min(_CHUNK, room)

    def step(i: Int[Array, ""], to: tuple) -> tuple:
        return body(jnp.minimum(i * width, room - width), width, to)

    return jax.lax.fori_loop(0, (many + width - 1) // width, step, to)


def settled(tree: Tree, node: Int[Array, " batch"]) -> Bool[Array, " batch"]:
    """Whether the edge into this node is: it is terminal or its value is proved. Not for roots."""
    rows = jnp.arange(node.shape[0])
    slots = tree.nodes[rows, node].astype(jnp.int32)
    return (node > 0) & (tree.edges[rows, slots[:, PARENT], CHILD, slots[:, ACTION]] < 0)
