"""Reading JAX's random keys: every kind that JAX makes comes out as the one kind used here.

The library works on typed threefry keys. JAX's other generators (`rbg`, `unsafe_rbg`) draw for a
whole batch from its first key, so that under `vmap` a row's chance would depend on its neighbours;
their keys are hashed into threefry ones.
"""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Key, UInt32

from .errors import BatchMismatchError, RandomKeyError
from .noise import as_key, seeds
from .rows import padded_size

KeyLike = Key[Array, "*batch"] | UInt32[Array, "*batch words"] | UInt32[np.ndarray, "*batch words"]
"""One key, or one for each row: typed (`jax.random.key`) or raw (`jax.random.PRNGKey`), made for
any of JAX's generators."""

_FRY = "threefry2x32"
_GENERATORS = {2: _FRY, 4: "rbg"}
"""What a raw key is made for, by how many words it has."""


def as_typed_keys(key: Any, batch: int | None = None) -> Key[Array, "*batch"]:
    """Typed threefry keys from keys of any kind; see `KeyLike`.

    With a `batch`, one key for each row: one key is split, and as many as rows stay as they are.
    Without it the shape is that of the keys given. Raises `RandomKeyError` for what is no key, and
    `BatchMismatchError` for another number of keys than rows.
    """
    keys = _threefry(_typed(key))
    if batch is None:
        return keys
    if keys.ndim == 0:
        return _split(keys, batch)
    if keys.shape != (batch,):
        raise BatchMismatchError(
            f"Got {keys.shape} keys for a batch of {batch}: give one key, or one for each row."
        )
    return keys


def named_key(key: Key[Array, ""], purpose: str) -> Key[Array, ""]:
    """A key for one purpose, by its name: other purposes draw other chance from the same key."""
    return jax.random.fold_in(key, zlib.crc32(purpose.encode()))


def one_key(key: Any) -> Key[Array, ""]:
    """A single typed threefry key. Raises `RandomKeyError` for what is no key, and for several."""
    typed = as_typed_keys(key)
    if typed.ndim:
        raise RandomKeyError(f"Got {typed.shape} keys where one is needed: give one of them.")
    return typed


def is_key(x: Any) -> bool:
    """Whether an array holds typed keys."""
    return jnp.issubdtype(getattr(x, "dtype", np.dtype(bool)), jax.dtypes.prng_key)


def _typed(key: Any) -> Key[Array, "*batch"]:
    if is_key(key):
        return key
    words = getattr(key, "dtype", None) == np.uint32 and np.ndim(key) and np.shape(key)[-1]
    if words not in _GENERATORS:
        what = f"{key.dtype}{list(np.shape(key))}" if hasattr(key, "dtype") else repr(key)
        raise RandomKeyError(
            f"key={what} is no random key: make one with `jax.random.key(0)` (any whole number "
            "will do), and split it with `jax.random.split` for each further use."
        )
    return jax.random.wrap_key_data(jnp.asarray(key), impl=_GENERATORS[words])


def _split(key: Key[Array, ""], count: int) -> Key[Array, " count"]:
    """So many keys from one, compiled for few counts only (`rows.padded_size`)."""
    size = padded_size(count)
    # How the first of them come out depends on their number where they are not made one by one.
    if size == count or isinstance(key, Tracer) or not jax.config.jax_threefry_partitionable:  # type: ignore
        return jax.random.split(key, count)
    words = jax.random.key_data(jax.random.split(key, size))
    if isinstance(words, Tracer):  # a key that can be looked at, in a function that is compiled
        return jax.random.split(key, count)
    return jax.random.wrap_key_data(jax.device_put(np.asarray(words)[:count]), impl=_FRY)


def _threefry(key: Key[Array, "*batch"]) -> Key[Array, "*batch"]:
    if jax.random.key_impl(key) == _FRY:
        return key
    return as_key(seeds(key))
