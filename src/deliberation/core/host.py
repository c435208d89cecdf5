"""Arrays outside of JAX, where its own types are not known: as plain numbers, and back.

On the host, states are trees of NumPy arrays, whose rows are picked and joined without compiling
anything. Random keys have no NumPy form: there they are the words that they consist of (`on_host`,
`keyless`, `with_keys`). In files and in C++ an array is bytes, which are made of plain numbers
alone: not of random keys, complex numbers, or integers of less than a byte (`plain`, `restored`).

Batches are filled up to few sizes here, so that one of another size finds its program compiled;
`rows.padded_size` says which there are. What is filled in are copies of the first row, under its
own key: whatever a decider does for it, it does for them, and nothing new can go wrong in them.
They are cut off again before anybody counts (`filled`, `cut`).
"""

import functools
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, UInt32

from .keys import is_key
from .rows import padded_size
from .task import is_outside

Tree = TypeVar("Tree")

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


def size_for(rows: int, asked: Any) -> int:
    """How many rows to fill up to; as many as there are where the question is part of a program."""
    size = padded_size(rows)
    return size if size == rows or is_outside(asked) else rows


def has_rows(memory: Any, rows: int) -> bool:
    """Whether all parts of a memory have so many rows; another is refused by its decider."""
    return all(np.shape(x)[:1] == (rows,) for x in jax.tree.leaves(memory))


def filled(tree: Tree, rows: int, size: int) -> Tree:
    """A tree of arrays of so many rows, filled up by copies of row 0; single numbers stay."""
    if rows == size:
        return tree

    def fill(x: Any) -> Any:
        if np.shape(x)[:1] != (rows,):
            return x
        x = np.asarray(x)
        more = np.broadcast_to(x[:1], (size - rows, *x.shape[1:]))
        # Put there, and not made by `jnp.asarray`, which compiles something for each shape.
        return jax.device_put(np.concatenate([x, more]))

    return with_keys(jax.tree.map(fill, keyless(tree)))


def cut(tree: Tree, rows: int, size: int) -> Tree:
    """The first rows of a tree that was made of `filled` ones."""
    if rows == size:
        return tree

    def first(x: Any) -> Any:
        return jax.device_put(np.asarray(x)[:rows]) if np.shape(x)[:1] == (size,) else x

    return with_keys(jax.tree.map(first, keyless(tree)))
