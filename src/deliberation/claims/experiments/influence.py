"""The one measure of influence on a world, which all claims of its chapter use.

Influence is the total variation between what becomes of a world with a system in it and what
becomes of the same world with a system that does nothing, for each start, and then the mean over
starts. 0: the world ends as it would have anyway; 1: never as it would have. A system's answer is
no part of the world unless somebody acts on it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


def influence(
    present: Float[Array, "starts states"], passive: Float[Array, "starts states"]
) -> Float[Array, ""]:
    """From the distributions of the last state with a system present, and with a passive one."""
    return 0.5 * jnp.abs(present - passive).sum(-1).mean()


def left_otherwise(present: PyTree, passive: PyTree) -> Float[Array, ""]:
    """The same where a passive system's world ends in one state for each start, from a sample.

    Total variation from a point is the chance to be elsewhere. Leaves are [starts, ...]: one draw
    of the world with the system, and the one state without, for each start.
    """
    apart = [
        (a != b).reshape(len(a), -1).any(1)
        for a, b in zip(jax.tree.leaves(present), jax.tree.leaves(passive), strict=True)
    ]
    return jnp.stack(apart).any(0).mean()
