"""When numbers count as equal: one tolerance for all who compare values, and drawing among ties."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ..core.noise import mix, uniform
from ..core.objective import SINGLE

DOUBLE = 1e-9
"""Relative difference under which sums of rewards kept in double precision are equal; those in
single precision are so under `SINGLE`."""


def slack(values: Float[Array, "rows actions"], relative: float = SINGLE) -> Float[Array, "rows 1"]:
    """How far below the greatest value of its row another one may lie and still be equal to it.

    Relative to the largest number of the row, whatever its sign and size; infinite ones apart.
    """
    sizes = jnp.abs(jnp.where(jnp.isfinite(values), values, 0.0))
    return relative * sizes.max(-1, keepdims=True)


def tied(
    values: Float[np.ndarray, "rows actions"], relative: float = SINGLE, unit: float = 0.0
) -> Bool[np.ndarray, "rows actions"]:
    """Which values of each row equal its greatest one; minus infinity never does. On the host.

    Differences are relative to the largest number of the row, or to a tenth of `unit` if that is
    more: the size of what values are sums of, whose rounding is left where they cancel to nothing.
    """
    sizes = np.abs(np.where(np.isfinite(values), values, 0.0)).max(1, keepdims=True)
    least = values.max(1, keepdims=True) - relative * np.maximum(sizes, unit / 10)
    return np.isfinite(values) & (values >= least)


@jax.jit
def best_action(scores: Float[Array, "batch actions"], seed: UInt32[Array, " batch"]) -> Array:
    """The best action, exact ties broken at random."""
    actions = jnp.arange(scores.shape[-1])
    tie = uniform(jax.vmap(lambda s: mix(s, actions))(seed))
    top = scores >= scores.max(-1, keepdims=True)
    return jnp.argmax(jnp.where(top, 1.0 + tie, 0.0), axis=-1).astype(jnp.int32)


@jax.jit
def drawn(
    keys: Key[Array, " batch"], weights: Float[Array, "batch actions"]
) -> Int[Array, " batch"]:
    """An action from each row's weights; -1 where they are all zero."""
    chosen = jax.vmap(jax.random.categorical)(keys, jnp.log(weights))
    return jnp.where(weights.any(1), chosen, -1).astype(jnp.int32)
