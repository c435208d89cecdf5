"""Chance for small tasks: one draw from a short list of probabilities, cheap inside of loops."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ..core import noise
from ..core.objective import Action
from ..core.task import State, Task


def draw_uniform(key: Key[Array, ""], count: int = 1) -> Float[Array, " count"]:
    """Numbers in [0, 1) from the key's own words, which are mixed and not run through its cipher.

    The cipher behind `jax.random` costs more, in a compiled step and in compiling it, than the
    rules of a small task.
    """
    return noise.uniform(noise.mix(noise.hashed(key), jnp.arange(count)))


def draw(key: Key[Array, ""], probabilities: Float[Array, " outcomes"]) -> Int[Array, ""]:
    """A number with these probabilities, which sum to one up to rounding."""
    (u,) = draw_uniform(key)
    index = (u >= jnp.cumsum(probabilities)).sum()
    # Rounding can leave the sum below u: then it is the last that can happen, never padding.
    last = jnp.max(jnp.where(probabilities > 0, jnp.arange(len(probabilities)), 0))
    return jnp.minimum(index, last).astype(jnp.int32)


def draw_outcome(task: Task, state: State, action: Action, key: Key[Array, ""]) -> State:
    """One of the outcomes that a task lists for an action, as probable as it says."""
    listed, chances = task.outcomes(state, action)
    which = draw(key, chances)
    return jax.tree.map(lambda x: x[which], listed)
