"""Choosing the best where several are equally good."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from ..core.noise import mix, uniform


def best_action(scores: Float[Array, "batch actions"], seed: UInt32[Array, " batch"]) -> Array:
    """The best action, exact ties broken at random."""
    actions = jnp.arange(scores.shape[-1])
    tie = uniform(jax.vmap(lambda s: mix(s, actions))(seed))
    top = scores >= scores.max(-1, keepdims=True)
    return jnp.argmax(jnp.where(top, 1.0 + tie, 0.0), axis=-1).astype(jnp.int32)
