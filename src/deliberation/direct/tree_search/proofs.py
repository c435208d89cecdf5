"""Choosing among actions that are proved equally good: what an imperfect opponent finds hardest.

Against perfect play they are all the same, and a search that proves values has no more to say. But
opponents make mistakes: a loss or a draw is best put off for as long as possible, and a win taken
as soon as possible.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..ties import SINGLE
from .tree import ACTION, CHILD, PARENT, VISITS, Q, Tree


def hardest(
    tree: Tree, equals: Bool[Array, "batch actions"], won: Bool[Array, " batch"]
) -> Float[Array, "batch actions"]:
    """Scores of proved root actions of the same value, the best to be played; 0 for all others.

    The length of the proof, with the simulations that it took to break ties; where the root is won,
    the shorter the better.
    """
    child = jnp.abs(tree.edges[:, 0, CHILD]).astype(jnp.int32)
    rows = jnp.arange(child.shape[0])[:, None]
    taken = jnp.where(equals, tree.edges[rows, child, VISITS].sum(-1), 0.0)
    score = jnp.where(equals, lengths(tree)[rows, child], 0)
    score = 1 + score + taken / (1 + taken.max(-1, keepdims=True))
    return jnp.where(equals, jnp.where(won[:, None], 1 / score, score), 0.0)


def lengths(tree: Tree) -> Int[Array, "batch nodes"]:
    """How many plies are played from each node if both sides follow its proof; 0 without one.

    Where several proved replies are best, the longest is followed: of a win only the first that was
    found is known.
    """
    index = jnp.arange(tree.nodes.shape[1], dtype=jnp.int32)
    rows = jnp.arange(tree.size.shape[0], dtype=jnp.int32)[:, None]
    parent, action = (tree.nodes[:, :, slot].astype(jnp.int32) for slot in (PARENT, ACTION))
    q, child = (tree.edges[rows, parent, slot, action] for slot in (Q, CHILD))
    settled = (child < 0) & (index > 0) & (index < tree.size[:, None])
    none = jnp.full(parent.shape, -jnp.inf)
    best = none.at[rows, parent].max(jnp.where(settled, q, -jnp.inf))[rows, parent]
    followed = settled & (q >= best - SINGLE * jnp.abs(best))

    def longer(carry: tuple) -> tuple:
        length, _ = carry
        found = jnp.zeros_like(length).at[rows, parent].max(jnp.where(followed, length + 1, 0))
        return found, (found != length).any()

    # As many rounds as the longest proof has plies.
    start = (jnp.zeros(parent.shape, jnp.int32), jnp.array(True))
    return jax.lax.while_loop(lambda carry: carry[1], longer, start)[0]
