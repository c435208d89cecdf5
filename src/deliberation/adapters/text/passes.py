"""Passes over the weights of a stranger's network in JAX: whole texts, and one token more.

Keys lie as `[rows, shared, width, slots]` and values as `[rows, shared, slots, width]`: both
products of attention then run along memory. A slot is not a place: all rows put their next token
into the same one, and the gap after a shorter text is never looked at.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .weights import Block, Form, Product, Weights

_ROOT = 0.7978845608028654
"""The square root of 2 / pi, in the approximation of the Gaussian error linear unit."""


class Kept(NamedTuple):
    """Keys and values of each block."""

    keys: tuple[Float[Array, "rows shared width slots"], ...]
    values: tuple[Float[Array, "rows shared slots width"], ...]


def read(
    weights: Weights, form: Form, texts: Int[Array, "rows slots"]
) -> tuple[Float[Array, "rows vocabulary"], Kept]:
    """One pass over texts padded with -1: logits after each one's last token. Pure."""
    rows, count = texts.shape
    at = jnp.arange(count)
    x = _entered(weights, jnp.maximum(texts, 0), at[None])
    causal = at[:, None] >= at[None]
    keys, values = [], []
    for block in weights.blocks:
        query, key, value = _looked(weights, form, block, x, at[None])
        scores = jnp.einsum("rpkgd,rskd->rkgps", query, key)
        shares = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf), -1)
        mixed = jnp.einsum("rkgps,rskd->rpkgd", shares, value)
        x = _finished(form, block, x, mixed.reshape(rows, count, -1))
        keys.append(key.transpose(0, 2, 3, 1))
        values.append(value.transpose(0, 2, 1, 3))
    ends = jnp.sum(texts >= 0, 1) - 1
    last = jnp.take_along_axis(x, ends[:, None, None], 1)[:, 0]
    return _product(_normed(form, last), weights.head), Kept(tuple(keys), tuple(values))


def append(
    weights: Weights, form: Form, kept: Kept,
    tokens: Int[Array, " rows"], places: Int[Array, " rows"],
    slot: Int[Array, ""], seen: Bool[Array, "rows slots"],
) -> tuple[Float[Array, "rows vocabulary"], Kept]:  # fmt: skip
    """One more token for each row, kept at `slot`, which is among those `seen`. Pure."""
    x = _entered(weights, jnp.maximum(tokens, 0), places)
    keys, values = [], []
    for block, olds, old in zip(weights.blocks, *kept, strict=True):
        query, key, value = _looked(weights, form, block, x, places)
        key = jax.lax.dynamic_update_slice_in_dim(olds, key[..., None], slot, axis=3)
        value = jax.lax.dynamic_update_slice_in_dim(old, value[:, :, None], slot, axis=2)
        x = _finished(form, block, x, _attended(query, key, value, seen))
        keys.append(key)
        values.append(value)
    return _product(_normed(form, x), weights.head), Kept(tuple(keys), tuple(values))


def _attended(
    query: Float[Array, "rows shared group width"],
    keys: Float[Array, "rows shared width slots"],
    values: Float[Array, "rows shared slots width"],
    seen: Bool[Array, "rows slots"],
) -> Float[Array, "rows all"]:
    scores = jnp.einsum("rkgd,rkds->rkgs", query, keys)
    shares = jax.nn.softmax(jnp.where(seen[:, None, None], scores, -jnp.inf), -1)
    return jnp.einsum("rkgs,rksd->rkgd", shares, values).reshape(len(query), -1)


def _entered(
    weights: Weights, tokens: Int[Array, "*rows"], places: Int[Array, "*places"]
) -> Float[Array, "*rows width"]:
    x = weights.words[tokens]
    return x if weights.places is None else x + weights.places[places]


def _looked(
    weights: Weights, form: Form, block: Block, x: Float[Array, "*rows width"],
    places: Int[Array, "*places"],
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Queries `[*rows, shared, group, width]`, keys and values `[*rows, shared, width]`."""
    found = _product(_normed(form, x), block.into)
    first, second = form.heads * form.width, (form.heads + form.shared) * form.width
    group = form.heads // form.shared
    query = found[..., :first].reshape(*x.shape[:-1], form.shared, group, form.width)
    key, value = (
        part.reshape(*x.shape[:-1], form.shared, form.width)
        for part in (found[..., first:second], found[..., second:])
    )
    if weights.turns is None:
        return query, key, value
    angles = places[..., None].astype(jnp.float32) * weights.turns
    cos, sin = (f(angles)[..., None, :] * form.stretch for f in (jnp.cos, jnp.sin))
    return _turned(query, cos[..., None, :], sin[..., None, :]), _turned(key, cos, sin), value


def _turned(x: Array, cos: Array, sin: Array) -> Array:
    """Its two halves turned as the pairs of one point each (Su et al. 2021)."""
    first, second = jnp.split(x, 2, -1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def _finished(
    form: Form, block: Block, x: Float[Array, "*rows width"], mixed: Float[Array, "*rows all"]
) -> Float[Array, "*rows width"]:
    x = x + _product(mixed, block.out)
    inner = _product(_normed(form, x), block.wide)
    if form.gated:
        gate, passed = jnp.split(inner, 2, -1)
        inner = _activated(form, gate) * passed
    else:
        inner = _activated(form, inner)
    return x + _product(inner, block.narrow)


def _normed(form: Form, x: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
    """To mean square 1, of what is left without the mean where it is centred."""
    if form.centred:
        x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + form.epsilon)


def _product(x: Float[Array, "*rows into"], by: Product) -> Float[Array, "*rows out"]:
    return x @ by.matrix + by.bias


def _activated(form: Form, x: Array) -> Array:
    if form.activation == "relu":
        return jnp.maximum(x, 0)
    if form.activation == "gelu":
        return jax.nn.gelu(x, approximate=False)
    # x (1 + tanh y) / 2 is x / (1 + exp(-2 y)), and the exponential is the faster of the two.
    power = x if form.activation == "silu" else 2 * _ROOT * x * (1 + 0.044715 * x * x)
    return x / (1 + jnp.exp(-power))
