"""A round of the search in pure JAX, for every platform: expand, back up and descend.

Only the paths that the simulations took are read and written, so the cost grows with their depth
and not with the size of the tree. `native` does the same on the CPU, operation for operation.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ....core.noise import mix
from ....core.rows import where_rows
from ....core.task import State
from ...faults import IN_REWARD, IN_SUM
from ...ties import best_action
from ..models.base import Step
from ..picker import Descent, Picker
from ..round import (
    DONE,
    EVALUATIONS,
    FAULTS,
    FREE,
    IDLE,
    SIMULATIONS,
    STEPS,
    Leaves,
    Terms,
    Trees,
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


def one_round(
    rule: Picker, terms: Terms, trees: Trees, answered: tuple[Leaves, Step] | None,
    forced: Int[Array, "batch width"] | int | None,
    noise: UInt32[Array, "batch width 2"] | None = None,
) -> tuple[Trees, Float[Array, "batch width"] | None, Leaves | None]:  # fmt: skip
    """Expand and back up by what the model answered, then descend to where to ask it next.

    Either half is left out if what it needs is None. `forced` says for each lane by which action to
    leave the root, or `FREE` or `IDLE` (a plain number: so many lanes, all free); `noise` breaks
    ties, by default that of `Terms.seed`. Returns the trees, the return along each lane's root edge
    for the root's mover (0 for idle lanes; None if nothing was answered), and the new leaves (None
    if none were to be found).
    """
    gain = leaves = None
    if answered is not None:
        trees, gain = _insert_and_count(terms, trees, *answered)
    if isinstance(forced, int):
        forced = jnp.full((trees[0].size.shape[0], forced), FREE, jnp.int32)
    if forced is not None:
        leaves = _find_leaves(rule, terms, trees, forced, noise)
    return trees, gain, leaves


def _insert_and_count(
    terms: Terms, trees: Trees, leaves: Leaves, step: Step
) -> tuple[Trees, Float[Array, "batch width"]]:
    step, active = step.settled(), leaves.active
    tree, done, gain = insert(trees[0], leaves, step, terms)
    tally, row = trees[1], lambda x: x.reshape(active.shape)
    # A sum that overflowed shows at the root.
    finite = jnp.isfinite(tree.root.total) & jnp.isfinite(tree.root.q).all(1)
    assert step.faults is not None and step.stuck is not None
    faults = step.faults | jnp.where(jnp.isfinite(step.reward), 0, IN_REWARD)
    faults = jnp.where(leaves.new, row(faults), 0)
    found = jnp.where(finite, 0, IN_SUM)
    for lane in range(active.shape[1]):
        found = found | faults[:, lane]
    tally = tally.at[:, SIMULATIONS].add(active.sum(1, dtype=jnp.int32))
    tally = tally.at[:, STEPS].add((row(step.model_steps) * active).sum(1, dtype=jnp.int32))
    tally = tally.at[:, EVALUATIONS].add((row(step.evaluations) * active).sum(1, dtype=jnp.int32))
    flags = (found, (leaves.new & row(step.stuck)).any(1), done)
    flags = jnp.stack([x.astype(jnp.int32) for x in flags], axis=-1)
    flags = tally[:, FAULTS : DONE + 1] | flags
    return (tree, tally.at[:, FAULTS : DONE + 1].set(flags)), gain


def _find_leaves(
    rule: Picker, terms: Terms, trees: Trees, forced: Int[Array, "batch width"],
    noise: UInt32[Array, "batch width 2"] | None,
) -> Leaves:  # fmt: skip
    tree, tally = trees
    left = terms.left(tree, tally)
    active = (jnp.arange(forced.shape[1]) < left[:, None]) & (forced != IDLE)
    number = tally[:, SIMULATIONS, None] + jnp.cumsum(active, axis=1, dtype=jnp.int32)
    own = mix(terms.seed[:, None], number)
    if noise is None:
        noise = jnp.stack([own, jnp.zeros_like(own)], axis=-1)
    into = jnp.where(active, forced, IDLE)
    (node, action, child, depth), state = descend(tree, rule, into, noise, terms)
    going = active.sum(dtype=jnp.int32)
    return Leaves(node, action, child, depth, active, number, own, going, state)


def descend(
    tree: Tree, rule: Picker, forced: Int[Array, "batch width"],
    noise: UInt32[Array, "batch width 2"], terms: Terms,
) -> tuple[tuple[Int[Array, "batch width"], ...], State]:  # fmt: skip
    """Follow the rule from each root to an edge without a child or to a settled one.

    A lane's first action is `forced` where that is not negative. Returns the edges (node, action
    and child), how many actions lead through them, and the states of their nodes.
    """
    batch, width = forced.shape
    rows = jnp.repeat(jnp.arange(batch), width)
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
    tree: Tree, leaves: Leaves, step: Step, terms: Terms
) -> tuple[Tree, Bool[Array, " batch"], Float[Array, "batch width"]]:
    """Expand the leaf edges and back each lane's return up the edges of its path.

    A settled edge that is taken again returns what it is known to be worth. Lanes of one row must
    have left the root by different actions. Returns the tree, the rows whose root got settled, and
    each lane's return along its root edge.
    """
    active, books = leaves.active, tree.books
    batch, width = active.shape
    rows = jnp.repeat(jnp.arange(batch), width)
    flat = leaves.flat()
    on, new = flat.active, flat.new
    # Each of these takes up an index, the next free one of its row.
    taken = active if books.by_simulation else leaves.new
    slot = tree.size[rows] + jnp.cumsum(taken, axis=1).reshape(-1) - 1
    child = jnp.where(new, jnp.where(step.over, -slot, slot), flat.child)
    written = on if books.means else new
    tree = _expand(tree, rows, flat, written, child, step, terms.known)
    known = jnp.abs(child)
    again = jnp.where(on & ~written, known, tree.nodes.shape[1])
    nodes = tree.nodes.at[rows, again, COUNT].add(1.0, mode="drop")
    here = nodes[rows, known]
    gain = here[:, REWARD] + here[:, DISCOUNT] * here[:, VALUE]
    up = (flat.node, flat.action, gain, gain, (child < 0) & on)

    def below_root(carry: tuple) -> Bool[Array, ""]:
        return (on & (carry[2][0] != 0)).any()

    def climb(carry: tuple) -> tuple:
        edges, nodes, (node, action, q, gain, exact) = carry
        going = on & (node != 0)
        edge, here = edges[rows, node], nodes[rows, node]
        edge, here, proved = backup(edge, here, (action, q, gain, exact), terms.ceilings, tree)
        mean = here[:, TOTAL] if books.means else here[:, TOTAL] / here[:, COUNT]
        mean = jnp.where(proved, here[:, VALUE], mean)
        into = jnp.where(going, node, nodes.shape[1])
        edges = edges.at[rows, into].set(edge, mode="drop")
        nodes = nodes.at[rows, into].set(here, mode="drop")
        higher = (
            here[:, PARENT].astype(jnp.int32), here[:, ACTION].astype(jnp.int32),
            here[:, REWARD] + here[:, DISCOUNT] * mean,
            here[:, REWARD] + here[:, DISCOUNT] * gain, proved,
        )  # fmt: skip
        return edges, nodes, where_rows(going, higher, (node, action, q, gain, exact))

    edges, nodes, up = jax.lax.while_loop(below_root, climb, (tree.edges, nodes, up))
    edge, here = edges[:, 0], nodes[:, 0]
    done = jnp.zeros(batch, bool)
    # The lanes of a row meet at its root, one after the other.
    returns = [x.reshape(batch, width) for x in up[1:]]
    for lane in range(width):
        took = active[:, lane]
        one = tuple(x[:, lane] for x in returns)
        *after, proved = backup(edge, here, one, terms.ceilings, tree)
        edge, here = where_rows(took, tuple(after), (edge, here))
        done = done | (took & proved)
    edges, nodes = edges.at[:, 0].set(edge), nodes.at[:, 0].set(here)
    size = tree.size + taken.sum(1)
    tree = dataclasses.replace(tree, edges=edges, nodes=nodes, size=size)
    return tree, done & tree.prove, jnp.where(active, returns[2], 0.0)


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
