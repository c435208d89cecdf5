"""Dense layers without heads: what learned models are made of."""

from collections.abc import Sequence

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from ...amortised.networks.feed_forward import Dense


class Layers(eqx.Module):
    """Dense layers with rectifiers (or, if `smooth`, sigmoid-weighted units) between them."""

    layers: tuple[Dense, ...]
    smooth: bool = eqx.field(static=True)

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        key: Key[Array, ""],
        first: Array | None = None,
        smooth: bool = False,
    ):
        """With `first`, the outputs start close to it."""
        keys = jax.random.split(key, len(sizes) - 1)
        scales = [1.0] * (len(sizes) - 2) + [1.0 if first is None else 0.1]
        layers = tuple(
            Dense(i, o, key=k, scale=s)
            for i, o, k, s in zip(sizes[:-1], sizes[1:], keys, scales, strict=True)
        )
        if first is not None:
            layers = (*layers[:-1], eqx.tree_at(lambda layer: layer.b, layers[-1], first))
        self.layers, self.smooth = layers, smooth

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """One vector in, one out."""
        for layer in self.layers[:-1]:
            x = jax.nn.silu(layer(x)) if self.smooth else jax.nn.relu(layer(x))
        return self.layers[-1](x)

    @property
    def flops(self) -> float:
        """Two for each weight."""
        return 2.0 * sum(layer.w.size for layer in self.layers)
