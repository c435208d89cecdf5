"""Trees of arrays whose leading axis counts rows (or lanes): choosing between them row by row."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

_EXACT = 64
"""Up to here sizes are powers of two: a search of few rows costs about what one of one row does."""
_STEPS = 4
"""So many sizes there are from there to each next power of two: fewer rows are computed in vain."""
_WIDE = ("int64", "uint64", "uint32")


def padded_size(rows: int) -> int:
    """How many rows a batch of so many is filled up to: 1, 2, 4... 64, 80, 96, 112, 128, 160..."""
    power = 1 << max(rows - 1, 0).bit_length()
    if power <= _EXACT:
        return power if rows else 0
    step = power // (2 * _STEPS)
    return -(-rows // step) * step


def beside(
    mask: Bool[Array, "*rows"] | Bool[np.ndarray, "*rows"], like: Array | np.ndarray
) -> Bool[Array, "..."] | Bool[np.ndarray, "..."]:
    """The mask with as many trailing axes of length 1 as an array of rows has more axes."""
    return mask.reshape(*mask.shape, *[1] * (jnp.ndim(like) - mask.ndim))


def greatest(x: Float[Array, "*rows n"]) -> Float[Array, "*rows"]:
    """The greatest of each row; its gradient goes to the first of those that are.

    For what is differentiated. The gradient of `jnp.max` compares the row with its maximum again: a
    compiled program may compute the two apart and round them otherwise, and where none is equal it
    is infinite (seen of XLA on CPUs where it optimises little).
    """
    first = jnp.arange(x.shape[-1]) == x.argmax(-1, keepdims=True)
    return jnp.where(first, x, 0).sum(-1)


def where_rows(mask: Bool[Array, "*rows"], new: PyTree, old: PyTree) -> PyTree:
    """`new` in the rows of the mask and `old` in the others, for every leaf of two like trees."""
    return jax.tree.map(lambda a, b: jnp.where(beside(mask, a), a, b), new, old)


def as_kinds(new: PyTree, like: PyTree) -> PyTree:
    """The leaves of `new` in the dtypes of those of a like tree.

    What a compiled loop carries round must keep its dtypes, and with 64 bits enabled
    (`JAX_ENABLE_X64`) sums, counts and rewards come out wider than the 32 bits that are kept.
    """

    def one(a: Any, b: Any) -> Any:
        kind = getattr(b, "dtype", None)
        return a if kind is None or a.dtype == kind else a.astype(kind)

    return jax.tree.map(one, new, like)


def narrowed(tree: PyTree) -> PyTree:
    """A tree with its 64-bit numbers in 32 bits, the precision that searches compute in."""
    narrow = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
    return jax.tree.map(lambda x: x.astype(narrow.get(str(x.dtype), x.dtype)), tree)


def in_32_bits(action: Any) -> Any:
    """Whole numbers in 32 bits. Those beyond stay at the end: a cast would wrap an illegal action
    round to a legal one.
    """
    kind = getattr(action, "dtype", None)
    if kind not in _WIDE:
        return action
    own, kept = jnp.iinfo(kind), jnp.iinfo(jnp.int32)
    return action.clip(max(own.min, kept.min), kept.max).astype(jnp.int32)


def saturated(count: Any, dtype: Any) -> Any:
    """Counts, or Python's own numbers, in 32 bits, whole or not. Those beyond stay at the end: a
    cast would wrap many round to few, and of a number of Python's raise.
    """
    whole = jnp.issubdtype(dtype, jnp.integer)
    kept = jnp.iinfo(dtype) if whole else jnp.finfo(dtype)
    if isinstance(count, int):  # of any size
        count = min(max(count, int(kept.min)), int(kept.max))
    if not isinstance(count, jax.Array):
        count = np.asarray(count)
        if whole and count.dtype.kind in "biu":
            return in_32_bits(count).astype(dtype)
        return count.astype(float).clip(float(kept.min), float(kept.max)).astype(dtype)
    if not whole or not jnp.issubdtype(count.dtype, jnp.floating):
        return (in_32_bits(count) if whole else count).astype(dtype)
    over = count >= kept.max  # the end itself is no number of 32 bits with a point
    return jnp.where(over, kept.max, jnp.where(over, 0, count).astype(dtype))


def in_one_row(tree: PyTree) -> PyTree:
    """The first two axes of every leaf made one, also of leaves without any element."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), tree)
