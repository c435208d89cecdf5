"""On what scale the returns of a node lie, so that rules explore alike whatever the rewards' size.

By the bounds of a game for two where it has some, else by the least and the greatest return that
was met from the node. MuZero goes by those of the whole tree (Schrittwieser et al. 2020, appendix
B); by the node's own, a subtree stays what a search begun there would have grown.

A single player's range is widened upwards, by as much as could still be had: where a reward is
rare, small costs are all that is met before it, and on their scale one of them looks like a reason
to try nothing else. The least return needs no such care, for what is never met is not missed.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..ties import SINGLE
from .tree import NodeView

Column = Float[Array, "batch 1"]
HOPE = 8.0
"""No range is widened by more than so many times itself: bounds may be far above all that can be
had. A power of 2, so that multiplying by it rounds nothing."""


def first_range(
    value: Float[Array, " batch"], sign: Float[Array, " batch"], known: Float[Array, "2"]
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """LOW and HIGH of new nodes: their values alone, or what is known for their players to move.

    `known` are the bounds of player 0's returns, infinite if unknown.
    """
    low, high = known
    first, bounded = sign > 0, jnp.isfinite(known).all()
    least, most = jnp.where(first, low, -high), jnp.where(first, high, -low)
    return jnp.where(bounded, least, value), jnp.where(bounded, most, value)


def scale(
    node: NodeView, normalise: bool = True, most: float | Float[Array, ""] = math.inf
) -> tuple[Column, Column]:
    """The middle of a node's returns and half of their range: (q - middle) / half is in [-1, 1].

    0 and 1 where nothing was met, and unless `normalise`. Half of the range is never 0. `most` is
    the greatest return that may still be had, to which the range is widened (by `HOPE` times itself
    at most, unless all returns met are equal); infinite where unknown: then nothing is widened.
    """
    low, high = node.low[:, None], node.high[:, None]
    seen = (low <= high) & normalise
    half = 0.5 * high - 0.5 * low
    above = jnp.where(jnp.isfinite(most), jnp.maximum(0.5 * most - 0.5 * high, 0.0), 0.0)
    unequal = half > SINGLE * jnp.maximum(jnp.abs(low), jnp.abs(high))
    half = half + jnp.where(unequal, jnp.minimum(above, HOPE * half), above)
    half = above_rounding(half, low, high)
    return jnp.where(seen, 0.5 * low + 0.5 * high, 0.0), jnp.where(seen, half, 1.0)


def above_rounding(
    width: Float[Array, "..."], low: Float[Array, "..."], high: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The width of numbers from `low` to `high`, or what rounding may make of none; never 0.

    Returns that are equal but for rounding would else be taken to be as far apart as can be.
    """
    width = jnp.maximum(width, SINGLE * jnp.maximum(jnp.abs(low), jnp.abs(high)))
    return jnp.where(width > 0, width, 1.0)
