"""A small decoder-only transformer: the tokens so far in, logits of the next one out.

Causal, with normalisation before each part (Radford et al. 2019, "GPT-2"; Xiong et al. 2020).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ..networks.feed_forward import (
    Dense,
    Network,
    Range,
    _check_sizes,
    _common_config,
    _read_range,
    _squash,
)
from ..networks.weights import normal


class Block(eqx.Module):
    """Causal self-attention and two layers of GELU units, each added to what came in."""

    heads: int = eqx.field(static=True)
    look: Dense
    merge: Dense
    widen: Dense
    narrow: Dense
    scales: Float[Array, "2 width"]

    def __init__(self, width: int, heads: int, depth: int, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 4)
        # What is added shrinks with the depth, so that the sum does not grow (GPT-2).
        small = 0.5 * depth**-0.5
        self.heads = heads
        self.look = Dense(width, 3 * width, key=keys[0], scale=0.7)
        self.merge = Dense(width, width, key=keys[1], scale=small)
        self.widen = Dense(width, 4 * width, key=keys[2])
        self.narrow = Dense(4 * width, width, key=keys[3], scale=small)
        self.scales = jnp.ones((2, width))

    def __call__(self, x: Float[Array, "places width"]) -> Float[Array, "places width"]:
        """Every place sees itself and those before it."""
        x = x + self._attend(_normed(x) * self.scales[0])
        return x + self.narrow(jax.nn.gelu(self.widen(_normed(x) * self.scales[1])))

    def _attend(self, x: Float[Array, "places width"]) -> Float[Array, "places width"]:
        places, width = x.shape
        split = self.look(x).reshape(places, 3, self.heads, width // self.heads)
        query, key, value = split[:, 0], split[:, 1], split[:, 2]
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return self.merge(mixed.reshape(places, width))


class Transformer(Network):
    """Observations are tokens as numbers from 0, then -1 where nothing is written yet.

    `actions` is the vocabulary: logits are those of the next token. A first place that is always
    there stands for the beginning of the text. The value starts at zero and stays there unless it
    is trained. `width` must be a multiple of `heads`.
    """

    kind: ClassVar[str] = "transformer"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    tokens: Float[Array, "symbols width"]
    places: Float[Array, "places width"]
    blocks: tuple[Block, ...]
    scale: Float[Array, " width"]
    policy: Dense
    value: Dense

    def __init__(
        self,
        observation_shape: Sequence[int],
        actions: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        *,
        value_range: Sequence[float] | None = None,
        key: Key[Array, ""],
    ):
        _check_sizes(actions=actions, width=width, depth=depth, heads=heads)
        if len(observation_shape) != 1 or width % heads:
            raise ValueError(
                "A transformer reads a row of tokens, and its width is a multiple of its heads; "
                f"got observation_shape={tuple(observation_shape)}, width={width}, heads={heads}."
            )
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.value_range = _read_range(value_range)
        keys = jax.random.split(key, depth + 4)
        # The last symbol stands for the beginning of the text.
        self.tokens = 0.5 * normal(keys[0], (actions + 1, width))
        self.places = 0.5 * normal(keys[1], (observation_shape[0] + 1, width))
        self.blocks = tuple(Block(width, heads, depth, key=k) for k in keys[4:])
        self.scale = jnp.ones(width)
        self.policy = Dense(width, actions, key=keys[2], scale=0.1)
        self.value = Dense(width, 1, key=keys[3], scale=0.0)

    def __call__(
        self, observation: Float[Array, " length"]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits of the token after the last one written, and the value."""
        tokens = observation.astype(jnp.int32)
        last = self._read(tokens)[jnp.sum(tokens >= 0)]
        return self.policy(last), _squash(self.value(last)[0], self.value_range)

    def predict(self, tokens: Int[Array, " length"]) -> Float[Array, "places actions"]:
        """Logits of the token at every place given those before it, and of the one after the end.

        One pass for a whole text, which is what next-token prediction trains.
        """
        return self.policy(self._read(tokens))

    def _read(self, tokens: Int[Array, " length"]) -> Float[Array, "places width"]:
        symbols = jnp.concatenate([jnp.array([self.actions]), jnp.maximum(tokens, 0)])
        x = self.tokens[symbols] + self.places
        for block in self.blocks:
            x = block(x)
        return _normed(x) * self.scale

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width, depth and heads."""
        size = {"width": self.scale.size, "depth": len(self.blocks), "heads": self.blocks[0].heads}
        return {**_common_config(self), **size}

    @property
    def multiply_adds(self) -> int:
        """Each place uses every block's weights once and looks at every place; one has heads."""
        places, width = self.places.shape
        parts = [w for b in self.blocks for w in (b.look, b.merge, b.widen, b.narrow)]
        attention = 2 * places**2 * width * len(self.blocks)
        everywhere = places * sum(layer.w.size for layer in parts)
        return everywhere + attention + self.policy.w.size + self.value.w.size


def _normed(x: Float[Array, "places width"]) -> Float[Array, "places width"]:
    """Root-mean-square normalisation (Zhang and Sennrich 2019)."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6)
