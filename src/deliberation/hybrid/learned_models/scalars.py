"""Numbers as distributions over a support: how MuZero's heads learn rewards and values.

Cross-entropy to the two neighbouring atoms keeps gradients of one size whatever the returns are
(Schrittwieser et al. 2020, appendix F); h shrinks large returns (Pohlen et al. 2018).
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_EPSILON = 1e-3


def shrink(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + epsilon x."""
    return jnp.sign(x) * (jnp.sqrt(jnp.abs(x) + 1) - 1) + _EPSILON * x


def stretch(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The inverse of `shrink`."""
    size = jnp.abs(x)
    # 1 + sqrt(1 + s) in the denominator, as the textbook's form cancels near zero.
    shift = 4 * _EPSILON * (size + 1 + _EPSILON)
    root = shift / (1 + jnp.sqrt(1 + shift)) / (2 * _EPSILON)
    return jnp.sign(x) * (root**2 - 1)


class Support(eqx.Module):
    """`bins` atoms, evenly spaced between shrink(low) and shrink(high)."""

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    bins: int = eqx.field(static=True, default=41)

    def __check_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"A support needs finite low < high; got ({self.low}, {self.high}).")
        if self.bins < 2:
            raise ValueError(f"A support needs at least 2 bins; got {self.bins}.")

    @property
    def _ends(self) -> Float[Array, "2"]:
        return shrink(jnp.array([self.low, self.high], jnp.float32))

    def mean(self, logits: Float[Array, "*shape bins"]) -> Float[Array, "*shape"]:
        """The number that a distribution over the atoms stands for."""
        low, high = self._ends
        return stretch(jax.nn.softmax(logits, axis=-1) @ jnp.linspace(low, high, self.bins))

    def encode(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape bins"]:
        """Weights on the two atoms around a number, whose mean it is; clipped to the ends."""
        low, high = self._ends
        place = (shrink(x) - low) / (high - low) * (self.bins - 1)
        place = jnp.clip(place, 0, self.bins - 1)
        atoms = jnp.arange(self.bins)
        return jnp.maximum(0.0, 1 - jnp.abs(place[..., None] - atoms))

    @property
    def nothing(self) -> Float[Array, " bins"]:
        """Logits that say 0 without being sure of it: where heads start."""
        return jnp.log(0.9 * self.encode(jnp.float32(0)) + 0.1 / self.bins)

    def loss(
        self, logits: Float[Array, "*shape bins"], x: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """Cross-entropy of the logits to a number, in nats."""
        return -(self.encode(x) * jax.nn.log_softmax(logits, axis=-1)).sum(-1)
