"""Arrays of every type that JAX has as arrays of plain numbers, and back.

Bytes can be made of plain numbers alone: not of random keys, complex numbers, or integers of less
than a byte.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .keys import is_key

_WIDENED = {"int2": "int8", "int4": "int8", "uint2": "uint8", "uint4": "uint8"}


def plain(x: Any) -> Array:
    """An array's numbers: a key's words or a complex number's parts, on a further last axis."""
    if is_key(x):
        return jax.random.key_data(x)
    x = jnp.asarray(x)
    if jnp.iscomplexobj(x):
        return jnp.stack([x.real, x.imag], axis=-1)
    return x.astype(_WIDENED.get(str(x.dtype), x.dtype))


def restored(numbers: Array, dtype: Any) -> Array:
    """The array of this type that `plain` made numbers of."""
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        # An array's dtype does not give its generator away, but an array of it does.
        return jax.random.wrap_key_data(numbers, impl=_generator(dtype))
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return jax.lax.complex(numbers[..., 0], numbers[..., 1])
    return numbers.astype(dtype)


@functools.cache
def plain_like(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    """The shape and type of `plain` of an array."""
    return jax.eval_shape(plain, jax.ShapeDtypeStruct(shape, dtype))


def _generator(dtype: Any) -> Any:
    found: list[Any] = []
    jax.eval_shape(
        lambda key: found.append(jax.random.key_impl(key)), jax.ShapeDtypeStruct((), dtype)
    )
    return found[0]
