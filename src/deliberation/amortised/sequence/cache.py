"""What a transformer keeps of the places that it has read: keys and values, a slot a place.

A slot is not a place: vectors of places are added before the first block, and attention does not
ask in which order what it may look at lies. Texts of different lengths that are written on together
thus share the next free slot, and a row's own gap before it is never looked at.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .transformer import Transformer, attended

Stored = Float[Array, "rows heads slots dim"]


class Cache(NamedTuple):
    """Keys and values of each block, which slots hold any, and the tokens read so far."""

    keys: tuple[Stored, ...]
    values: tuple[Stored, ...]
    seen: Bool[Array, "rows slots"]
    length: Int[Array, " rows"]


def read(
    network: Transformer, texts: Int[Array, "rows length"], slots: int
) -> tuple[Float[Array, "rows vocabulary"], Cache]:
    """One pass over texts padded with -1: logits after each one's last token. Pure.

    There are at least `length` + 1 slots, for the place where every text begins.
    """
    places = texts.shape[1] + 1
    lengths = jnp.sum(texts >= 0, axis=1, dtype=jnp.int32)
    x = network.enter(network.begun(texts), jnp.arange(places))
    keys, values = [], []
    room = ((0, 0), (0, 0), (0, slots - places), (0, 0))
    for block in network.blocks:
        x, key, value = block.read(x)
        keys.append(jnp.pad(key, room))
        values.append(jnp.pad(value, room))
    last = jnp.take_along_axis(x, lengths[:, None, None], axis=1)[:, 0]
    seen = jnp.arange(slots) <= lengths[:, None]
    return network.policy(network.leave(last)), Cache(tuple(keys), tuple(values), seen, lengths)


def append(
    network: Transformer,
    cache: Cache,
    tokens: Int[Array, " rows"],
    slot: Int[Array, ""] | None = None,
) -> tuple[Float[Array, "rows vocabulary"], Cache]:
    """One more token for each row, and the logits after it; rows with -1 stay as they are. Pure.

    It goes to a `slot` that is free in every row, or to each row's first, `length` + 1: a row that
    is as long as the network reads has a slot more to leave what is not seen in.
    """
    live = tokens >= 0
    at = cache.length + 1
    here = jnp.arange(cache.seen.shape[1]) == (at[:, None] if slot is None else slot)
    seen = cache.seen | (here & live[:, None])
    places = jnp.minimum(at, network.places.shape[0] - 1)
    x = network.enter(jnp.maximum(tokens, 0), places)[:, None]
    keys, values = [], []
    for block, key, value in zip(network.blocks, cache.keys, cache.values, strict=True):
        query, *new = block.looked(x)
        # What a row without a token leaves in a slot is not seen, and overwritten by its next one.
        key, value = (_put(*pair, at, slot) for pair in zip((key, value), new, strict=True))
        x = block.finished(x, attended(query, key, value, seen[:, None, None]))
        keys.append(key)
        values.append(value)
    cache = Cache(tuple(keys), tuple(values), seen, cache.length + live)
    return network.policy(network.leave(x[:, 0])), cache


def pick(cache: Cache, rows: Int[Array, " n"]) -> Cache:
    """The cache of these rows. Pure."""
    return jax.tree.map(lambda x: x[rows], cache)


def _put(
    old: Stored,
    new: Float[Array, "rows heads 1 dim"],
    at: Int[Array, " rows"],
    slot: Int[Array, ""] | None,
) -> Stored:
    if slot is not None:
        return jax.lax.dynamic_update_slice_in_dim(old, new, slot, axis=2)
    rows = jnp.arange(len(at))
    return old.at[rows, :, at].set(new[:, :, 0])
