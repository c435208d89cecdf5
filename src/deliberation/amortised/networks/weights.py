"""Drawing a network's first weights without compiling a program for each of its layers."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Key

PREFIX_KEPT = "jax_threefry_partitionable"
"""JAX's setting (on by default) by which a number depends on the key and on its place alone."""
SMALLEST = 1024
"""Layers up to this many weights share one program; each program costs a third of a second."""


def normal(key: Key[Array, ""], shape: Sequence[int]) -> Float[Array, "..."]:
    """Standard normal weights, to the bit those of `jax.random.normal(key, shape)`.

    A program is compiled for each power of two of weights and not for each shape: in JAX a number
    depends on the key and on its place, not on how many are drawn. Where it does (`PREFIX_KEPT`
    off), and inside of `jax.jit`, JAX draws by itself.
    """
    size = math.prod(shape)
    if not size or not getattr(jax.config, PREFIX_KEPT):
        return jax.random.normal(key, tuple(shape))
    room = max(SMALLEST, 1 << (size - 1).bit_length())
    drawn = jax.random.normal(key, (room,))
    if isinstance(drawn, Tracer):
        return jax.random.normal(key, tuple(shape))
    return jnp.asarray(np.asarray(drawn)[:size].reshape(shape))
