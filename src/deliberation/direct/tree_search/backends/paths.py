"""Lanes on their way down a tree and up again, in pure JAX: what `portable` is made of."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ....core.noise import mix
from ....core.rows import where_rows
from ....core.task import State
from ...ties import best_action
from ..models.base import Step
from ..picker import Descent, Picker
from ..round import (
    IDLE,
    Leaves,
    Terms,
    Widths,
)
from ..rules import Rule
from ..scale import first_range
from ..tree import (
    ACTION,
    CHANCE,
    CHILD,
    COUNT,
    DISCOUNT,
    FORBIDDEN,
    HIGH,
    LOGIT,
    LOW,
    PARENT,
    REWARD,
    SIGN,
    TOTAL,
    VALUE,
    VISITS,
    NodeView,
    Q,
    Tree,
    pack,
)

_LEAST = jnp.finfo(jnp.float32).min
"""No score of an offered action counts less, so what is not offered is never chosen."""
Edge = Float[Array, "lanes 4 actions"]
Node = Float[Array, "lanes 11"]


def descend(
    tree: Tree, rule: Picker, forced: Int[Array, "part width"],
    noise: UInt32[Array, "part width 2"], terms: Terms,
) -> tuple[tuple[Int[Array, "part width"], ...], State]:  # fmt: skip
    """Follow the rule from each root to an edge without a child or to a settled one.

    A lane's first action is `forced` where that is not negative. Returns the edges (node, action
    and child), how many actions lead through them, and the states of their nodes.
    """
    batch, width = forced.shape
    rows = of_lanes(terms, batch, width)
    first, noise = forced.reshape(-1), noise.reshape(-1, 2)

    def going_on(carry: tuple) -> Bool[Array, ""]:
        return carry[1].any()

    def down(carry: tuple) -> tuple:
        leaf, going, current, d, noise = carry
        at = Descent(tree, rows, current, noise, d)
        node = at.here
        picked = rule.pick(at)
        if picked is None:
            assert isinstance(rule, Rule)
            picked = choose(rule, node, mix(noise[:, 0], current), terms.widths), noise
        action, noise = picked
        action = jnp.where((d == 0) & (first >= 0), first, action)
        child = jnp.take_along_axis(node.child, action[:, None], 1)[:, 0].astype(jnp.int32)
        taken = leaf[3] + ~node.chance
        leaf = where_rows(going, (current, action, child, taken), leaf)
        going = going & (child > 0) & (d + 1 < terms.depth)
        return leaf, going, jnp.where(going, child, current), d + 1, noise

    zero = jnp.zeros_like(first)
    # Lanes that take no part keep pointing at their first edge as it is.
    idle = (zero, zero, tree.edges[rows, 0, CHILD, 0].astype(jnp.int32), zero)
    start = (idle, first != IDLE, zero, jnp.int32(0), noise)
    leaf = jax.lax.while_loop(going_on, down, start)[0]
    states = tree.state(rows, leaf[0])
    return tuple(x.reshape(batch, width) for x in leaf), states


def of_lanes(terms: Terms, batch: int, width: int) -> Int[Array, " lanes"]:
    """The row of each lane."""
    rows = jnp.arange(batch) if terms.rows is None else terms.rows
    return jnp.repeat(rows, width)


def choose(
    rule: Rule, node: NodeView, seed: UInt32[Array, " lanes"], widths: Widths
) -> Int[Array, " lanes"]:
    """The rule's action at each node, or the outcome that is most behind at a chance node."""
    scores = rule.interior(node)
    # Outcomes in proportion to their probability, without noise (as in Stochastic MuZero).
    behind = node.prior / (1 + node.visits)
    scores = jnp.where(node.chance[:, None], behind, scores)
    offered = node.legal
    if widths is not None:
        total = node.visits.sum(-1).astype(jnp.int32)
        most = widths[jnp.minimum(total, widths.shape[0] - 1)]
        most = jnp.where(node.chance, node.visits.shape[-1], most)
        offered = offered & (jnp.arange(node.visits.shape[-1]) < most[:, None])
    return best_action(jnp.where(offered, jnp.maximum(scores, _LEAST), -jnp.inf), seed)


def insert(
    tree: Tree, leaves: Leaves, step: Step, terms: Terms, shared: bool = False
) -> tuple[Tree, Bool[Array, " part"], Float[Array, "part width"]]:
    """Expand the leaf edges and back each lane's return up the edges of its path.

    A settled edge that is taken again returns what it is known to be worth. Lanes of one row must
    have left the root by different actions, but for the one lane of a row that may have `shared`
    its path with those inserted before: its leaf may be there already, and is judged once more, or
    an edge of its path settled, and returns what it is known to be worth. Returns the tree, the
    rows whose root got settled, and each lane's return along its root edge.
    """
    active, books = leaves.active, tree.books
    batch, width = active.shape
    rows, part = of_lanes(terms, batch, width), terms.part
    flat = leaves.flat()
    on, new = flat.active, flat.new
    # Each of these takes up an index, the next free one of its row.
    twin = jnp.zeros_like(new)
    if shared:
        found = tree.edges[rows, flat.node, CHILD, flat.action].astype(jnp.int32)
        found = jnp.where(new, found, flat.child)
        twin, new = new & (found > 0), new & (found == 0)
        flat = dataclasses.replace(flat, child=found)
    taken = active if books.by_simulation else new.reshape(batch, width)
    slot = tree.size[rows] + jnp.cumsum(taken, axis=1).reshape(-1) - 1
    child = jnp.where(new, jnp.where(step.over, -slot, slot), flat.child)
    written = on if books.means else new
    tree = _expand(tree, rows, flat, written, child, step, terms.known)
    known = jnp.abs(child)
    again = jnp.where(on & ~written, known, tree.nodes.shape[1])
    nodes = tree.nodes.at[rows, again, COUNT].add(1.0, mode="drop")
    if shared:
        nodes = _join(nodes, rows, jnp.where(twin, known, nodes.shape[1]), step.value)
    here = nodes[rows, known]
    gain = here[:, REWARD] + here[:, DISCOUNT] * jnp.where(twin, step.value, here[:, VALUE])
    mean = here[:, REWARD] + here[:, DISCOUNT] * (here[:, TOTAL] / here[:, COUNT])
    up = (flat.node, flat.action, jnp.where(twin, mean, gain), gain, (child < 0) & on)

    def below_root(carry: tuple) -> Bool[Array, ""]:
        return (on & (carry[2][0] != 0)).any()

    def climb(carry: tuple) -> tuple:
        edges, nodes, (node, action, q, gain, exact) = carry
        going = on & (node != 0)
        edge, here = edges[rows, node], nodes[rows, node]
        one = (action, q, gain, exact)
        one = _known(edge, one) if shared and tree.prove else one
        edge, here, proved = backup(edge, here, one, terms.ceilings, tree)
        mean = here[:, TOTAL] if books.means else here[:, TOTAL] / here[:, COUNT]
        mean = jnp.where(proved, here[:, VALUE], mean)
        into = jnp.where(going, node, nodes.shape[1])
        edges = edges.at[rows, into].set(edge, mode="drop")
        nodes = nodes.at[rows, into].set(here, mode="drop")
        higher = (
            here[:, PARENT].astype(jnp.int32), here[:, ACTION].astype(jnp.int32),
            here[:, REWARD] + here[:, DISCOUNT] * mean,
            here[:, REWARD] + here[:, DISCOUNT] * one[2], proved,
        )  # fmt: skip
        return edges, nodes, where_rows(going, higher, (node, action, q, gain, exact))

    edges, nodes, up = jax.lax.while_loop(below_root, climb, (tree.edges, nodes, up))
    edge, here = edges[part, 0], nodes[part, 0]
    done = jnp.zeros(batch, bool)
    # The lanes of a row meet at its root, one after the other.
    returns = [x.reshape(batch, width) for x in up[1:]]
    for lane in range(width):
        took = active[:, lane]
        one = tuple(x[:, lane] for x in returns)
        one = _known(edge, one) if shared and tree.prove else one
        *after, proved = backup(edge, here, one, terms.ceilings, tree)
        edge, here = where_rows(took, tuple(after), (edge, here))
        done = done | (took & proved)
    edges, nodes = edges.at[part, 0].set(edge), nodes.at[part, 0].set(here)
    more = taken.sum(1)
    size = tree.size + more if terms.rows is None else tree.size.at[part].add(more)
    tree = dataclasses.replace(tree, edges=edges, nodes=nodes, size=size)
    return tree, done & tree.prove, jnp.where(active, returns[2], 0.0)


def _join(nodes: Array, rows: Array, node: Array, value: Array) -> Array:
    """Another judgement of nodes that are there."""
    nodes = nodes.at[rows, node, TOTAL].add(value, mode="drop")
    nodes = nodes.at[rows, node, LOW].min(value, mode="drop")
    return nodes.at[rows, node, HIGH].max(value, mode="drop")


def _known(edge: Edge, one: tuple[Array, ...]) -> tuple[Array, ...]:
    """What comes back along edges that were settled meanwhile: what they are known to be worth."""
    action, q, gain, exact = one
    chosen = jnp.take_along_axis(edge, action[:, None, None], 2)[:, :, 0]
    settled = (chosen[:, CHILD] < 0) & ~exact
    worth = chosen[:, Q]
    return action, jnp.where(settled, worth, q), jnp.where(settled, worth, gain), exact | settled


def _expand(
    tree: Tree, rows: Int[Array, " lanes"], flat: Leaves, written: Bool[Array, " lanes"],
    child: Int[Array, " lanes"], step: Step, known: Float[Array, "2"],
) -> Tree:  # fmt: skip
    """Write nodes and the pointers to them."""
    room, slot = tree.nodes.shape[1], jnp.abs(child)
    into = jnp.where(written, slot, room)
    count = jnp.ones_like(step.value)
    if tree.books.means:
        count = tree.nodes[rows, slot, COUNT] + 1
    edge = jnp.zeros((rows.shape[0], 4, step.logits.shape[-1]), jnp.float32)
    edge = edge.at[:, LOGIT].set(step.logits)
    node = jnp.stack(
        [
            count, step.value, step.value, step.reward, step.discount,
            step.sign, flat.node.astype(jnp.float32), flat.action.astype(jnp.float32),
            jnp.zeros_like(count) if step.chance is None else step.chance.astype(jnp.float32),
            *first_range(step.value, step.sign, known),
        ],
        axis=-1,
    )  # fmt: skip
    edges = tree.edges.at[rows, into].set(edge, mode="drop")
    parent = jnp.where(written, flat.node, room)
    edges = edges.at[rows, parent, CHILD, flat.action].set(child.astype(jnp.float32), mode="drop")
    nodes = tree.nodes.at[rows, into].set(node, mode="drop")
    states = tree.states.at[rows, into].set(pack(step.state), mode="drop")
    return dataclasses.replace(tree, edges=edges, nodes=nodes, states=states)


def backup(
    edge: Edge, node: Node, one: tuple[Array, ...], ceilings: Float[Array, "2"], tree: Tree
) -> tuple[Edge, Node, Bool[Array, " lanes"]]:
    """Add one return to an edge and to its node: `one` is (action, q, gain, exact) of each lane.

    `q` is the edge's mean return by now, `gain` the return itself. Where it is `exact`, the edge is
    settled, and the node's value may be proved by it: the third result. Of `tree`, only the static
    settings are used (`prove` and `books`).
    """
    action, q, gain, exact = one
    chosen = jnp.arange(edge.shape[-1]) == action[:, None]
    visits = edge[:, VISITS] + chosen
    means = jnp.where(chosen, q[:, None], edge[:, Q])
    child = edge[:, CHILD]
    value, proved = node[:, VALUE], jnp.zeros_like(exact)
    if tree.prove:
        child = jnp.where(chosen & exact[:, None], -jnp.abs(child), child)
        settled, legal = child < 0, edge[:, LOGIT] > FORBIDDEN / 2
        best = jnp.where(settled, means, -jnp.inf).max(-1)
        ceiling = jnp.where(node[:, SIGN] > 0, ceilings[0], ceilings[1])
        proved = (settled | ~legal).all(-1) | (best >= ceiling)
        proved = proved & exact & (node[:, CHANCE] <= 0)
        value = jnp.where(proved, best, value)
    edge = jnp.stack([visits, means, edge[:, LOGIT], child], axis=1)
    total = node[:, TOTAL] + gain
    if tree.books.means:
        total = (node[:, TOTAL] * node[:, COUNT] + gain) / (node[:, COUNT] + 1)
    changed = jnp.stack([node[:, COUNT] + 1, total, value], axis=-1)
    met = jnp.stack([jnp.minimum(node[:, LOW], gain), jnp.maximum(node[:, HIGH], gain)], axis=-1)
    return edge, jnp.concatenate([changed, node[:, VALUE + 1 : LOW], met], axis=-1), proved
