"""How a learned policy draws actions and judges them, for numbered and for continuous actions."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ...core.noise import Seed, gumbel, mix, uniform
from ...core.task import Actions, Task
from ..networks.gaussian import GaussianNetwork, log_density
from ..policies.gaussian import scaled
from ..policies.network import evaluate

Drawn = tuple[Actions, Actions, Float[Array, " batch"], Float[Array, " batch"]]
Judged = tuple[Float[Array, " batch"], Float[Array, " batch"], Float[Array, " batch"]]


def draw(
    task: Task,
    network: Any,
    observations: Float[Array, "batch ..."],
    legal: Bool[Array, "batch actions"],
    seed: Seed,
) -> Drawn:
    """Actions for the task, the same as the policy knows them, their log probabilities, values.

    A Gaussian policy knows actions unbounded and in units of half their range; the task gets them
    clipped and scaled.
    """
    traits = task.traits
    if traits.discrete:
        logits, value = evaluate(network, observations, legal)
        # Gumbel-max: the largest of logits plus noise is a draw from their softmax.
        noisy = logits + gumbel(mix(seed, _counters(logits.shape)))
        action = jnp.argmax(jnp.where(legal, noisy, -jnp.inf), axis=-1).astype(jnp.int32)
        return action, action, _chosen(jax.nn.log_softmax(logits), action), value
    mean, log_sd, value = jax.vmap(network)(observations)
    raw = mean + jnp.exp(log_sd) * _normal(mix(seed, _counters(mean.shape)))
    action = scaled(traits, raw)
    return action, raw, log_density(raw, mean, log_sd), value


def judge(
    task: Task,
    network: Any,
    observations: Float[Array, "batch ..."],
    legal: Bool[Array, "batch actions"],
    raw: Actions,
) -> Judged:
    """Log probability of actions (as the policy knows them), entropy in nats, and values."""
    if task.traits.discrete:
        logits, value = evaluate(network, observations, legal)
        logs = jax.nn.log_softmax(logits)
        return _chosen(logs, raw), -(jnp.exp(logs) * logs).sum(-1), value
    mean, log_sd, value = jax.vmap(network)(observations)
    spread = (log_sd + 0.5 * jnp.log(2 * jnp.pi * jnp.e)).sum(-1)
    return log_density(raw, mean, log_sd), spread, value


def values(network: Any, observations: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Values alone, of either kind of network."""
    if isinstance(network, GaussianNetwork):
        return jax.vmap(network)(observations)[2]
    return network.batched(observations)[1]


def _chosen(table: Float[Array, "batch actions"], action: Actions) -> Float[Array, " batch"]:
    return jnp.take_along_axis(table, action[:, None], axis=1)[:, 0]


def _counters(shape: tuple[int, ...]) -> Array:
    return jnp.arange(shape[0] * shape[1]).reshape(shape)


def _normal(seed: Seed) -> Float[Array, "*shape"]:
    """Standard normal noise by Box and Muller 1958."""
    radius = jnp.sqrt(-2 * jnp.log1p(-uniform(seed)))
    return radius * jnp.cos(2 * jnp.pi * uniform(mix(seed, 1)))
