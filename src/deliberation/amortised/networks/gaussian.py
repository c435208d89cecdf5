"""A network for continuous actions: two towers give a mean and a value, and spreads are learned."""

import abc
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .actor_critic import Tower, climb, towers
from .feed_forward import Buildable


class GaussianNetwork(Buildable):
    """One observation in; the mean and the spread of a continuous action, and a value out.

    Means and deviations are in units of half the range of actions around its middle. Unbatched.
    """

    observation_shape: eqx.AbstractVar[tuple[int, ...]]
    shape: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " numbers"], Float[Array, " numbers"], Float[Array, ""]]:
        """Mean and log standard deviation of the scaled, flattened action; and the value."""

    @property
    @abc.abstractmethod
    def multiply_adds(self) -> int:
        """Multiply-adds of all matrix products in one forward pass."""


class GaussianMLP(GaussianNetwork):
    """Two towers of `depth` layers of `width` tanh units: the mean of an action, and a value.

    `log_sd` is the learned logarithm of a standard deviation for each number of an action, the same
    in every state. Means and deviations are in units of half the range of actions around its
    middle, so that the network need not know the bounds. Unbatched.
    """

    kind: ClassVar[str] = "gaussian_mlp"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    actor: Tower
    critic: Tower
    log_sd: Float[Array, " numbers"]

    def __init__(
        self,
        observation_shape: Sequence[int],
        shape: Sequence[int],
        width: int = 64,
        depth: int = 2,
        *,
        log_sd: float = 0.0,
        key: Key[Array, ""],
    ):
        self.observation_shape, self.shape = tuple(observation_shape), tuple(shape)
        numbers = math.prod(shape)
        inputs = math.prod(observation_shape)
        self.actor, self.critic = towers(inputs, numbers, width, depth, key)
        self.log_sd = jnp.full(numbers, log_sd, jnp.float32)

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " numbers"], Float[Array, " numbers"], Float[Array, ""]]:
        """Mean and log standard deviation of the scaled, flattened action; and the value."""
        x = observation.reshape(-1).astype(jnp.float32)
        return climb(self.actor, x), self.log_sd, climb(self.critic, x)[0]

    @property
    def multiply_adds(self) -> int:
        """The number of weights: each is used once."""
        return sum(layer.w.size for layer in (*self.actor, *self.critic))

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width and depth; plain JSON."""
        return {
            "kind": self.kind,
            "observation_shape": list(self.observation_shape),
            "shape": list(self.shape),
            "width": self.actor[0].w.shape[1],
            "depth": len(self.actor) - 1,
        }


def log_density(
    raw: Float[Array, "batch numbers"],
    mean: Float[Array, "batch numbers"],
    log_sd: Float[Array, "batch numbers"],
) -> Float[Array, " batch"]:
    """Log density of independent normal numbers, in nats."""
    z = (raw - mean) * jnp.exp(-log_sd)
    return -(0.5 * jnp.square(z) + log_sd + 0.5 * math.log(2 * math.pi)).sum(-1)
