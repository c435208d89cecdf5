"""Normalisation for learners from trial and error: running statistics of what is seen and paid.

As in the baselines of Dhariwal et al. 2017 (`VecNormalize`): observations are brought to mean 0 and
variance 1; rewards are divided, their mean left as it is, by the standard deviation of the return
so far, each reward of the past discounted by its age. Both are then clipped; what DQN clips is the
sum of rewards over its steps. Rewards that are nearly all alike, such as 100 and now and then 101,
are clipped to one number: subtract what all have in common, or give a larger `limit`. The
statistics are carried from update to update, and go with the network that comes out (`Normalised`).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..networks.feed_forward import Network
from ..networks.gaussian import GaussianNetwork
from ..networks.normalised import SMALL, Running, Scaled, Scales, fresh_running, normalised


class Statistics(eqx.Module):
    """What a learner normalises by; None for what it does not. Nothing changes where both are.

    `returns` are the discounted returns so far of the episodes under way, for the player who moves.
    """

    observations: Running | None = None
    rewards: Running | None = None
    returns: Float[Array, " batch"] | None = None
    limit: float = eqx.field(static=True, default=10.0)

    def seeing(self, seen: Float[Array, "batch ..."]) -> "Statistics":
        """With a batch of observations more."""
        if self.observations is None:
            return self
        return eqx.tree_at(lambda s: s.observations, self, self.observations.after(seen))

    def see(self, seen: Float[Array, "batch ..."]) -> Float[Array, "batch ..."]:
        """Observations normalised."""
        if self.observations is None:
            return seen
        return self.observations.normalise(seen, seen.shape[1:], self.limit)

    def earning(
        self,
        reward: Float[Array, " batch"],
        gain: Float[Array, " batch"],
        over: Bool[Array, " batch"],
    ) -> "Statistics":
        """With a batch of rewards more, one an episode.

        `gain` is the worth of what comes after each, with its sign where the opponent moves next.
        Where an episode is `over`, cut or ended, the next one begins with a return of 0.
        """
        if self.rewards is None or self.returns is None:
            return self
        returns = self.returns + reward
        found = self.rewards.after(returns[:, None])
        after = jnp.where(over, 0.0, gain * returns)
        return eqx.tree_at(lambda s: (s.rewards, s.returns), self, (found, after))

    def earn(self, reward: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Rewards normalised."""
        if self.rewards is None:
            return reward
        return jnp.clip(reward / self.deviation, -self.limit, self.limit)

    @property
    def deviation(self) -> Float[Array, ""]:
        """What rewards are divided by; 1 where they are not normalised."""
        if self.rewards is None:
            return jnp.float32(1)
        return jnp.sqrt(self.rewards.variance[0] + SMALL)


def fresh_statistics(network: Network | GaussianNetwork, settings: Any) -> Statistics:
    """Before anything was seen: those that a learner's settings ask for.

    Raises `ValueError` for a network that normalises already, whose numbers would be scaled twice.
    """
    observations, rewards = settings.normalise_observations, settings.normalise_rewards
    if isinstance(network, Scaled) and (observations or rewards):
        raise ValueError(
            f"A {type(network).__name__} has statistics of its own. Train on it without "
            "normalise_observations and normalise_rewards, which leaves them as they are, or "
            "hand over the network within it (`network.network`)."
        )
    return Statistics(
        fresh_running(math.prod(network.observation_shape)) if observations else None,
        fresh_running(1) if rewards else None,
        jax.device_put(np.zeros(settings.environments, np.float32)) if rewards else None,
        settings.limit,
    )


def in_task_units(
    network: Network | GaussianNetwork, statistics: Statistics, *, logits_are_values: bool
) -> Network | GaussianNetwork:
    """What a learner hands over: the network that takes and gives the task's own numbers.

    Its logits are brought to the task's units too where they are differences of values.
    """
    seen = statistics.observations
    if seen is None and statistics.rewards is None:
        return network
    deviation = statistics.deviation
    scales = Scales(
        fresh_running(math.prod(network.observation_shape)) if seen is None else seen,
        deviation,
        deviation if logits_are_values else jnp.ones_like(deviation),
    )
    return normalised(network, scales, None if seen is None else statistics.limit)


def check_limit(name: str, limit: float) -> None:
    """Refuse a limit that would leave nothing of what is clipped."""
    if not limit > 0:
        raise ValueError(f"{name} needs limit > 0, where normalised numbers are cut; got {limit}.")
