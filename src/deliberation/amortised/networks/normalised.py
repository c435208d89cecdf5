"""Networks that normalise what they see, by running statistics of what was seen in training.

A learner that normalises observations trains a network on numbers of mean 0 and variance 1; what it
hands over is that network within one of these, which takes observations as the task shows them. The
statistics are arrays of the network, so they are saved and loaded with its weights.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from .feed_forward import Buildable, Network, Range, network_from_config
from .gaussian import GaussianNetwork

SMALL = 1e-8
"""Added to variances, so that nothing is divided by 0."""


class Running(eqx.Module):
    """The mean and the variance of all rows met so far, and how many they were.

    Merged batch by batch (Chan, Golub and LeVeque 1983), which gives those of the whole sample; the
    variance is over the count, not the count less one. Before any row they are 0 and 1.
    """

    mean: Float[Array, " numbers"]
    variance: Float[Array, " numbers"]
    count: Float[Array, ""]

    def after(self, rows: Float[Array, "batch ..."]) -> "Running":
        """With a batch of rows more."""
        rows = rows.reshape(rows.shape[0], -1)
        total = self.count + rows.shape[0]
        share = rows.shape[0] / total
        gap = rows.mean(axis=0) - self.mean
        spread = self.variance * (1 - share) + rows.var(axis=0) * share
        variance = spread + jnp.square(gap) * share * (1 - share)
        return Running(self.mean + gap * share, variance, total)

    def normalise(
        self, x: Float[Array, "..."], shape: tuple[int, ...], limit: float | None
    ) -> Float[Array, "..."]:
        """Less the mean, over the standard deviation, clipped to -limit and limit if there is one.

        `shape` is that of one observation: the last axes of `x`.
        """
        deviation = jnp.sqrt(self.variance + SMALL)
        scaled = (x - self.mean.reshape(shape)) / deviation.reshape(shape)
        return scaled if limit is None else jnp.clip(scaled, -limit, limit)


def fresh_running(numbers: int) -> Running:
    """The statistics of no rows yet, made on the host, where nothing is compiled for them."""
    parts = (np.zeros(numbers), np.ones(numbers), np.zeros(()))
    return Running(*(jax.device_put(x.astype(np.float32)) for x in parts))


class Scales(eqx.Module):
    """By what a network's observations are normalised, and its answers brought to task's units.

    What it answers is multiplied by `value` (the value) and `logits` (1, except where logits are
    differences of values): the standard deviation by which rewards were divided in training. None
    of this is learned by gradients.
    """

    observations: Running
    value: Float[Array, ""]
    logits: Float[Array, ""]

    def fixed(self) -> "Scales":
        """The same, into which no gradient flows."""
        return jax.lax.stop_gradient(self)


def fresh_scales(shape: tuple[int, ...]) -> Scales:
    """Those that change nothing, for observations of a shape."""
    one = jax.device_put(np.float32(1))
    return Scales(fresh_running(int(np.prod(shape))), one, one)


class Scaled(Buildable):
    """What both kinds of network here share: one within, and the scales around it.

    Observations are clipped to -limit and limit if there is a `limit`.
    """

    network: eqx.AbstractVar[Any]
    scales: eqx.AbstractVar[Scales]
    limit: eqx.AbstractVar[float | None]

    def seen(self, observation: Float[Array, "..."]) -> Float[Array, "..."]:
        """One observation, or a batch of them, as the network within takes it."""
        statistics = self.scales.fixed().observations
        return statistics.normalise(observation, self.network.observation_shape, self.limit)

    @property
    def config(self) -> dict[str, Any]:
        """Kind, the limit, and the config of the network within."""
        return {"kind": self.kind, "network": self.network.config, "limit": self.limit}

    @property
    def multiply_adds(self) -> int:
        """Those of the network within."""
        return self.network.multiply_adds


class Normalised(Scaled, Network):
    """A network with logits and a value, which sees its observations normalised.

    `network` is the one within, or its config; see `Scaled`.
    """

    kind: ClassVar[str] = "normalised"
    limit: float | None = eqx.field(static=True)
    network: Network
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    scales: Scales

    def __init__(
        self,
        network: Network | Mapping[str, Any],
        scales: Scales | None = None,
        *,
        limit: float | None = None,
        key: Key[Array, ""] | None = None,
    ):
        within = network if isinstance(network, Network) else _build(network, Network, key)
        self.network, self.limit, self.value_range = within, limit, None
        self.observation_shape, self.actions = within.observation_shape, within.actions
        self.scales = fresh_scales(within.observation_shape) if scales is None else scales

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits and value of one observation."""
        return self._in_task_units(*self.network(self.seen(observation)))

    def batched(
        self, observations: Float[Array, "batch ..."]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """Logits and values of a batch of observations."""
        return self._in_task_units(*self.network.batched(self.seen(observations)))

    def _in_task_units(self, logits: Array, value: Array) -> tuple[Array, Array]:
        scales = self.scales.fixed()
        return logits * scales.logits, value * scales.value


class NormalisedGaussian(Scaled, GaussianNetwork):
    """A network for continuous actions, which sees its observations normalised.

    `network` is the one within, or its config; see `Scaled`.
    """

    kind: ClassVar[str] = "normalised_gaussian"
    network: GaussianNetwork
    scales: Scales
    limit: float | None = eqx.field(static=True)
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, network: GaussianNetwork | Mapping[str, Any], scales: Scales | None = None, *,
        limit: float | None = None, key: Key[Array, ""] | None = None,
    ):  # fmt: skip
        known = isinstance(network, GaussianNetwork)
        self.network = network if known else _build(network, GaussianNetwork, key)
        self.observation_shape, self.shape = self.network.observation_shape, self.network.shape
        self.scales = fresh_scales(self.observation_shape) if scales is None else scales
        self.limit = limit

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " numbers"], Float[Array, " numbers"], Float[Array, ""]]:
        """Mean and log standard deviation of the scaled, flattened action; and the value."""
        mean, log_sd, value = self.network(self.seen(observation))
        return mean, log_sd, value * self.scales.fixed().value


def normalised(
    network: Network | GaussianNetwork, scales: Scales, limit: float | None
) -> Normalised | NormalisedGaussian:
    """A network behind scales, of the kind that it is."""
    if isinstance(network, GaussianNetwork):
        return NormalisedGaussian(network, scales, limit=limit)
    return Normalised(network, scales, limit=limit)


def _build(config: Mapping[str, Any], of: Any, key: Key[Array, ""] | None) -> Any:
    if key is None:
        raise ValueError("A network from a config needs a key to draw its weights with.")
    return network_from_config(config, key, of)
