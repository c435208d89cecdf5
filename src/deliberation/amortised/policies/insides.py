"""The layers of a decider that evaluates one of the library's own networks: `insides`."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...core.decider import Decider
from ...core.insides import Insides, no_insides, tapped
from ..networks.feed_forward import network_from_config
from .network import NetworkPolicy


def insides(policy: Decider) -> Insides:
    """The layers of a `NetworkPolicy` by their place in its network; scores are the logits.

    What a layer gives is read before the units that follow it. The network at random weights is
    one that is built anew from its config. Raises `WrongKindError` for other deciders, and for
    networks whose layers cannot be followed.
    """
    if not isinstance(policy, NetworkPolicy):
        raise no_insides(policy, "is no NetworkPolicy")
    config = policy.network.config
    return tapped(
        policy.network, _logits, policy.task, policy.task.observe,
        lambda key: network_from_config(config, key),
    )  # fmt: skip


def _logits(network: Any, observation: Float[Array, "..."]) -> Float[Array, " actions"]:
    return network(observation.astype(jnp.float32))[0]
