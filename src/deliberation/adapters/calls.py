"""Calls from compiled programs to foreign code on the host, one for a whole batch of lanes."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt32

from ..core.failures import calling_out

Rows = Sequence[np.ndarray]


def ask_host(
    run: Callable[..., Rows], like: Sequence[jax.ShapeDtypeStruct], *given: Array
) -> list[Array]:
    """What a function of NumPy arrays gives for these, as arrays `like` those for one lane.

    `run` takes arrays with one axis of lanes in front, however many axes `jax.vmap` has put there,
    and gives arrays with the same; it must be pure. Under `vmap` it is called once for all lanes.
    """
    ranks = tuple(x.ndim for x in given)
    call = functools.partial(_in_lanes, run, ranks)
    return list(jax.pure_callback(call, tuple(like), *given, vmap_method="broadcast_all"))


def _in_lanes(run: Callable[..., Rows], ranks: tuple[int, ...], *given: Any) -> tuple:
    arrays = [np.asarray(x) for x in given]
    lead = arrays[0].shape[: arrays[0].ndim - ranks[0]]
    count = math.prod(lead)
    lanes = [x.reshape((count, *x.shape[len(lead) :])) for x in arrays]
    with calling_out():
        rows = run(*lanes)
    return tuple(x.reshape((*lead, *x.shape[1:])) for x in rows)


def words_of(key: Key[Array, ""]) -> UInt32[Array, " 2"]:
    """What a random key consists of."""
    return jax.random.key_data(key).astype(jnp.uint32)


def like(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    """The form of one array."""
    return jax.ShapeDtypeStruct(shape, np.dtype(dtype))
