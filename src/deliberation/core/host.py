"""Arrays outside of JAX, where its own types are not known: as plain numbers, and back.

On the host, states are trees of NumPy arrays, whose rows are picked and joined without compiling
anything. Random keys have no NumPy form: there they are the words that they consist of (`on_host`,
`keyless`, `with_keys`). In files and in C++ an array is bytes, which are made of plain numbers
alone: not of random keys, complex numbers, or integers of less than a byte (`plain`, `restored`).
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, UInt32

from .keys import is_key

_WIDENED = {"int2": "int8", "int4": "int8", "uint2": "uint8", "uint4": "uint8"}


class KeyWords(eqx.Module):
    """Random keys on the host: an array of words with one more axis, and whose keys they are."""

    words: UInt32[np.ndarray, "*batch words"] | UInt32[Array, "*batch words"]
    generator: str = eqx.field(static=True)


def on_host(tree: PyTree) -> PyTree:
    """Every array of a tree as a NumPy array, and random keys as `KeyWords` that hold some."""
    return jax.tree.map(np.asarray, keyless(tree))


def keyless(tree: PyTree) -> PyTree:
    """A tree with its random keys as `KeyWords`; within compiled functions too."""

    def part(x: Any) -> Any:
        if not is_key(x):
            return x
        return KeyWords(jax.random.key_data(x), str(jax.random.key_impl(x)))

    return jax.tree.map(part, tree)


def with_keys(tree: PyTree) -> PyTree:
    """The inverse of `keyless`: `KeyWords` are random keys again, and all else stays as it is."""

    def part(x: Any) -> Any:
        if not isinstance(x, KeyWords):
            return x
        return jax.random.wrap_key_data(jnp.asarray(x.words), impl=x.generator)

    return jax.tree.map(part, tree, is_leaf=lambda x: isinstance(x, KeyWords))


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
