"""A round of the search in pure JAX, for every platform: expand, back up and descend.

Only the paths that the simulations took are read and written, so the cost grows with their depth
and not with the size of the tree. `native` does the same on the CPU, operation for operation.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ....core.noise import mix
from ....core.task import State
from ...faults import IN_REWARD, IN_SUM
from ..models.base import Step
from ..picker import Picker
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
)
from ..tree import (
    ACTION,
    COUNT,
    PARENT,
    TOTAL,
    VISITS,
    Q,
    Tree,
)
from .paths import descend, insert, of_lanes


def one_round(
    rule: Picker, terms: Terms, trees: Trees, answered: tuple[Leaves, Step] | None,
    forced: Int[Array, "part width"] | int | None,
    noise: UInt32[Array, "part width 2"] | None = None,
) -> tuple[Trees, Float[Array, "part width"] | None, Leaves | None]:  # fmt: skip
    """Expand and back up by what the model answered, then descend to where to ask it next.

    Either half is left out if what it needs is None. `forced` says for each lane by which action to
    leave the root, or `FREE` or `IDLE` (a plain number: so many lanes, all free); `noise` breaks
    ties, by default that of `Terms.seed`. Returns the trees, the return along each lane's root edge
    for the root's mover (0 for idle lanes; None if nothing was answered), and the new leaves (None
    if none were to be found).
    """
    gain = leaves = None
    if answered is not None:
        trees, gain = _insert_and_count(rule, terms, trees, *answered)
    if isinstance(forced, int):
        forced = jnp.full((trees[0].size[terms.part].shape[0], forced), FREE, jnp.int32)
    if forced is not None:
        leaves = _find_leaves(rule, terms, trees, forced, noise)
    return trees, gain, leaves


def _insert_and_count(
    rule: Picker, terms: Terms, trees: Trees, leaves: Leaves, step: Step
) -> tuple[Trees, Float[Array, "part width"]]:
    step, active = step.settled(), leaves.active
    into = insert_in_turn if rule.shares else insert
    tree, done, gain = into(trees[0], leaves, step, terms)
    tally, row, part = trees[1], lambda x: x.reshape(active.shape), terms.part
    # A sum that overflowed shows at the root.
    finite = (jnp.isfinite(tree.root.total) & jnp.isfinite(tree.root.q).all(1))[part]
    assert step.faults is not None and step.stuck is not None
    faults = step.faults | jnp.where(jnp.isfinite(step.reward), 0, IN_REWARD)
    faults = jnp.where(leaves.new, row(faults), 0)
    found = jnp.where(finite, 0, IN_SUM)
    for lane in range(active.shape[1]):
        found = found | faults[:, lane]
    tally = tally.at[part, SIMULATIONS].add(active.sum(1, dtype=jnp.int32))
    for slot, amount in ((STEPS, step.model_steps), (EVALUATIONS, step.evaluations)):
        tally = tally.at[part, slot].add((row(amount) * active).sum(1, dtype=jnp.int32))
    flags = (found, (leaves.new & row(step.stuck)).any(1), done)
    flags = jnp.stack([x.astype(jnp.int32) for x in flags], axis=-1)
    flags = tally[part, FAULTS : DONE + 1] | flags
    return (tree, tally.at[part, FAULTS : DONE + 1].set(flags)), gain


def _find_leaves(
    rule: Picker, terms: Terms, trees: Trees, forced: Int[Array, "part width"],
    noise: UInt32[Array, "part width 2"] | None,
) -> Leaves:  # fmt: skip
    (tree, tally), part = trees, terms.part
    left = terms.left(tree, tally)[part]
    active = (jnp.arange(forced.shape[1]) < left[:, None]) & (forced != IDLE)
    number = tally[part, SIMULATIONS, None] + jnp.cumsum(active, axis=1, dtype=jnp.int32)
    own = mix(terms.seed[part, None], number)
    if noise is None:
        noise = jnp.stack([own, jnp.zeros_like(own)], axis=-1)
    into = jnp.where(active, forced, IDLE)
    down = descend_in_turn if rule.shares else descend
    (node, action, child, depth), state = down(tree, rule, into, noise, terms)
    going = active.sum(dtype=jnp.int32)
    return Leaves(node, action, child, depth, active, number, own, going, state)


def descend_in_turn(
    tree: Tree, rule: Picker, forced: Int[Array, "part width"],
    noise: UInt32[Array, "part width 2"], terms: Terms,
) -> tuple[tuple[Int[Array, "part width"], ...], State]:  # fmt: skip
    """As `descend`, where lanes may take the same path: one after the other.

    Each sees those before it, which are under way, as visits (WU-UCT, Liu et al. 2020). An action
    that has returned nothing yet is taken to be worth what its node is.
    """
    rows = of_lanes(terms, forced.shape[0], 1)

    def depart(edges: Array, node: Array, action: Array, on: Array) -> Array:
        def climb(carry: tuple) -> tuple:
            edges, node, action, on = carry
            edge, here = edges[rows, node], tree.nodes[rows, node]
            mean = here[:, TOTAL] / jnp.maximum(here[:, COUNT], 1)
            chosen = jnp.arange(edge.shape[-1]) == action[:, None]
            first = chosen & (edge[:, VISITS] == 0)
            edge = edge.at[:, Q].set(jnp.where(first, mean[:, None], edge[:, Q]))
            edge = edge.at[:, VISITS].add(chosen.astype(jnp.float32))
            edges = edges.at[rows, jnp.where(on, node, edges.shape[1])].set(edge, mode="drop")
            above = here[:, PARENT].astype(jnp.int32), here[:, ACTION].astype(jnp.int32)
            return edges, *above, on & (node != 0)

        return jax.lax.while_loop(lambda c: c[3].any(), climb, (edges, node, action, on))[0]

    def lane(edges: Array, one: tuple) -> tuple:
        seen = dataclasses.replace(tree, edges=edges)
        leaf, _ = descend(seen, rule, one[0][:, None], one[1][:, None], terms)
        leaf = tuple(x[:, 0] for x in leaf)
        return depart(edges, leaf[0], leaf[1], one[0] != IDLE), leaf

    _, leaf = jax.lax.scan(lane, tree.edges, (forced.T, noise.swapaxes(0, 1)))
    leaf = tuple(x.T for x in leaf)
    states = tree.state(jnp.repeat(rows, forced.shape[1]), leaf[0].reshape(-1))
    return leaf, states


def insert_in_turn(
    tree: Tree, leaves: Leaves, step: Step, terms: Terms
) -> tuple[Tree, Bool[Array, " part"], Float[Array, "part width"]]:
    """As `insert`, where lanes may have taken the same path: one after the other."""
    batch, width = leaves.active.shape

    def lane(carry: tuple, number: Int[Array, ""]) -> tuple:
        tree, done = carry

        def own(x: Array) -> Array:
            return jax.lax.dynamic_index_in_dim(x, number, 1)

        def of(x: Array) -> Array:
            return own(x.reshape(batch, width, *x.shape[1:]))[:, 0]

        names = ("node", "action", "child", "depth", "active", "number", "seed")
        one = dataclasses.replace(leaves, **{x: own(getattr(leaves, x)) for x in names})
        tree, proved, gain = insert(tree, one, jax.tree.map(of, step), terms, shared=True)
        return (tree, done | proved), gain[:, 0]

    start = (tree, jnp.zeros(batch, bool))
    (tree, done), gain = jax.lax.scan(lane, start, jnp.arange(width))
    return tree, done, gain.T
