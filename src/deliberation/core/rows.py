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
