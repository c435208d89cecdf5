"""Trees of arrays whose leading axis counts rows (or lanes): choosing between them row by row."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree


def beside(mask: Bool[Array, "*rows"], like: Array) -> Bool[Array, "..."]:
    """The mask with as many trailing axes of length 1 as an array of rows has more axes."""
    return mask.reshape(*mask.shape, *[1] * (jnp.ndim(like) - mask.ndim))


def where_rows(mask: Bool[Array, "*rows"], new: PyTree, old: PyTree) -> PyTree:
    """`new` in the rows of the mask and `old` in the others, for every leaf of two like trees."""
    return jax.tree.map(lambda a, b: jnp.where(beside(mask, a), a, b), new, old)


def as_kinds(new: PyTree, like: PyTree) -> PyTree:
    """The leaves of `new` in the dtypes of those of a like tree.

    What a compiled loop carries round must keep its dtypes, and with 64 bits enabled
    (`JAX_ENABLE_X64`) sums, counts and rewards come out wider than the 32 bits that are kept.
    """
    return jax.tree.map(lambda a, b: a if a.dtype == b.dtype else a.astype(b.dtype), new, like)


def narrowed(tree: PyTree) -> PyTree:
    """The same with numbers of 64 bits in 32: what searches reckon in."""
    narrow = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
    return jax.tree.map(lambda x: x.astype(narrow.get(str(x.dtype), x.dtype)), tree)
