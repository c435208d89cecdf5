"""The arrays of a tree by name, in the form that a file of tensors can hold, and back."""

import hashlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree


def named_arrays(tree: PyTree) -> dict[str, Array]:
    """The arrays of a tree by their path, in the tree's order."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path, simple=True, separator="."): x for path, x in leaves}


def plain(leaf: Array) -> Array:
    """An array as numbers: keys become their data."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def checksum(tree: PyTree) -> str:
    """What tells the arrays of a tree from others: a SHA-256 of their names and numbers."""
    found = hashlib.sha256()
    for name, leaf in named_arrays(tree).items():
        found.update(name.encode() + np.asarray(plain(leaf)).tobytes())
    return found.hexdigest()


def description(thing: PyTree) -> str:
    """What tells a task or an objective from others: its fields, and a digest of its arrays.

    For the identity of a training: the short form that people read leaves out too much.
    """
    return f"{eqx.tree_pformat(thing, width=10**6)} {checksum(thing)}"


def restored(found: np.ndarray, like: Array) -> Array:
    """What `plain` made numbers of, of the form of `like`."""
    wanted = plain(like)
    array = jnp.asarray(found, wanted.dtype).reshape(wanted.shape)
    return jax.random.wrap_key_data(array) if _is_key(like) else array


def _is_key(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
