"""Cheap counter-based random bits for inner loops, where a cryptographic generator is the cost.

A seed is one uint32 a row, drawn from a proper key; `mix` is the 32-bit finaliser "lowbias32"
(C. Wellons, hash prospector, 2018).
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

Seed = UInt32[Array, "*shape"]


def seeds(key: Key[Array, "*shape"]) -> Seed:
    """One seed for each key, of any of JAX's generators, whatever keys are beside it."""
    if jax.random.key_impl(key) != "threefry2x32":
        # Their bits are drawn for a whole batch from its first key; its words are each key's own.
        return hashed(key)
    bits = functools.partial(jax.random.bits, dtype=jnp.uint32)
    for _ in range(key.ndim):
        bits = jax.vmap(bits)
    return bits(key)


def hashed(key: Key[Array, "*shape"]) -> Seed:
    """One seed for each key, from its own words, which are mixed and not run through a cipher."""
    words = jnp.moveaxis(jax.random.key_data(key), -1, 0)
    return mix(words[0], *words[1:].astype(jnp.int32))


def mix(seed: Seed, *counters: Int[Array, "..."] | int) -> UInt32[Array, "..."]:
    """A new seed from a seed and counters, broadcast; equal arguments give equal seeds."""
    if any(isinstance(x, Tracer) for x in (seed, *counters)):
        return _mixed(jnp, seed, counters)
    # Outside of a program on the host, as every single operation would be compiled for each shape.
    with np.errstate(over="ignore"):
        return jax.device_put(_mixed(np, np.asarray(seed), counters))


def _mixed(xp: Any, seed: Any, counters: Sequence[Any]) -> Any:
    for counter in counters:
        words = xp.asarray(counter).astype(xp.uint32) + xp.uint32(1)
        seed = seed + words * xp.uint32(0x9E3779B9)
        seed = (seed ^ (seed >> 16)) * xp.uint32(0x7FEB352D)
        seed = (seed ^ (seed >> 15)) * xp.uint32(0x846CA68B)
        seed = seed ^ (seed >> 16)
    return seed


def uniform(seed: Seed) -> Float[Array, "*shape"]:
    """Numbers in [0, 1) with 24 random bits."""
    return (seed >> 8).astype(jnp.float32) * jnp.float32(2**-24)


def as_key(seed: Seed) -> Key[Array, "*shape"]:
    """A JAX key (threefry) from a seed, for a task's own chance inside a loop."""
    return jax.random.wrap_key_data(jnp.stack([seed, mix(seed, 1)], axis=-1), impl="threefry2x32")


def gumbel(seed: Seed) -> Float[Array, "*shape"]:
    """Standard Gumbel noise, finite for every seed (between -2.9 and 16.7)."""
    # 23 bits and a half: both ends stay inside (0, 1) after rounding to single precision.
    u = ((seed >> 9).astype(jnp.float32) + 0.5) * jnp.float32(2**-23)
    return -jnp.log(-jnp.log(u))


def random_choice(weights: Float[Array, "batch actions"], seed: Seed) -> Int[Array, " batch"]:
    """An action from each distribution, by its cumulative sum."""
    u = uniform(seed)[:, None] * weights.sum(-1, keepdims=True)
    index = (u >= jnp.cumsum(weights, -1)).sum(-1)
    # Rounding can leave the sum below u: then it is the last that can happen.
    last = jnp.max(jnp.where(weights > 0, jnp.arange(weights.shape[1]), 0), axis=-1)
    return jnp.minimum(index, last).astype(jnp.int32)


def pick_uniform(
    legal: Bool[Array, "batch actions"], u: Float[Array, " batch"]
) -> Int[Array, " batch"]:
    """The action whose rank among the legal ones is floor(u * count); 0 where none is legal."""
    columns = legal.T.astype(jnp.int32)
    rank = (u * columns.sum(0)).astype(jnp.int32)
    if columns.shape[0] > 32:
        before = jnp.cumsum(columns, axis=0)
        return jnp.argmax((before > rank) & (columns > 0), axis=0).astype(jnp.int32)
    # Unrolled, so that it fuses into the rules around it: a third of a playout's time otherwise.
    before = jnp.zeros_like(rank)
    action = jnp.zeros_like(rank)
    for a in range(columns.shape[0]):
        action = jnp.where((columns[a] > 0) & (before == rank), a, action)
        before = before + columns[a]
    return action
