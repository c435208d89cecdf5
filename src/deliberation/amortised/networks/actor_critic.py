"""An actor and a critic that share no weights, as policy gradients want where values are large."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .feed_forward import Dense, Network, Range

Tower = tuple[Dense, ...]


class ActorCritic(Network):
    """Two towers of `depth` layers of `width` tanh units: one for the logits, one for the value.

    In a trunk shared by both, the errors of a value in the tens drown the policy's gradient; apart,
    each learns at its own pace (Andrychowicz et al. 2021, "What matters for on-policy deep
    actor-critic methods", section 3.2). The value is unbounded.
    """

    kind: ClassVar[str] = "actor_critic"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    actor: Tower
    critic: Tower

    def __init__(
        self,
        observation_shape: Sequence[int],
        actions: int,
        width: int = 64,
        depth: int = 2,
        *,
        value_range: None = None,
        key: Key[Array, ""],
    ):
        if value_range is not None:
            raise ValueError("The value of an ActorCritic is unbounded: leave value_range at None.")
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.value_range = None
        inputs = math.prod(observation_shape)
        self.actor, self.critic = towers(inputs, actions, width, depth, key)

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits and value of one observation."""
        x = observation.reshape(-1).astype(jnp.float32)
        return climb(self.actor, x), climb(self.critic, x)[0]

    def batched(
        self, observations: Float[Array, "batch ..."]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """Logits and values of a batch of observations."""
        x = observations.reshape(observations.shape[0], -1).astype(jnp.float32)
        return climb(self.actor, x), climb(self.critic, x)[:, 0]

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width and depth."""
        return {
            "kind": self.kind,
            "observation_shape": list(self.observation_shape),
            "actions": self.actions,
            "value_range": None,
            "width": self.actor[0].w.shape[1],
            "depth": len(self.actor) - 1,
        }

    @property
    def multiply_adds(self) -> int:
        """The number of weights: each is used once."""
        return sum(layer.w.size for layer in (*self.actor, *self.critic))


def towers(
    inputs: int, outputs: int, width: int, depth: int, key: Key[Array, ""]
) -> tuple[Tower, Tower]:
    """An actor that starts nearly indifferent, and a critic of one output."""
    if min(outputs, width, depth) < 1:
        raise ValueError(
            f"A network needs actions, width and depth of at least 1; got {outputs=}, {width=}, "
            f"{depth=}."
        )
    keys = jax.random.split(key, 2 * depth + 2)
    sizes = [inputs] + [width] * depth
    # He's gain is for rectifiers; tanh, whose slope is 1 at the origin, wants about 0.7 of it.
    bodies = [
        [Dense(i, o, key=k, scale=0.7) for i, o, k in zip(sizes[:-1], sizes[1:], part, strict=True)]
        for part in (keys[2 : depth + 2], keys[depth + 2 :])
    ]
    actor = (*bodies[0], Dense(width, outputs, key=keys[0], scale=0.01))
    return actor, (*bodies[1], Dense(width, 1, key=keys[1], scale=0.7))


def climb(tower: Tower, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
    """Inputs through a tower, along the last axis."""
    for layer in tower[:-1]:
        x = jnp.tanh(layer(x))
    return tower[-1](x)
