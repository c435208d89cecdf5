"""States as NumPy arrays, where rows are picked and joined without compiling anything.

Random keys have no NumPy form: on the host they are the words that they consist of.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, UInt32

from .keys import is_key


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
