"""A recurrent network: one layer, applied again and again to its own output and the input.

The input is put in anew in every round (Bansal et al. 2022, "recall"), and units are cut off at
both ends, as in the solvers of programmes with bounds whose steps such a network can learn (Gregor
and LeCun 2010, "Learning fast approximations of sparse coding").
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .feed_forward import Dense, Network, Range, _check_sizes, _common_config, _read_range, _squash


class RecurrentMLP(Network):
    """h = clip(W h + U x), `rounds` times from h = 0; then a policy and a value head.

    `width` units between -1 and 1. The number of rounds is part of the function, not a budget.
    """

    kind: ClassVar[str] = "recurrent_mlp"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    rounds: int = eqx.field(static=True)
    recall: Dense
    again: Dense
    policy: Dense
    value: Dense

    def __init__(
        self,
        observation_shape: Sequence[int],
        actions: int,
        width: int = 128,
        rounds: int = 7,
        *,
        value_range: Sequence[float] | None = None,
        key: Key[Array, ""],
    ):
        _check_sizes(actions=actions, width=width, rounds=rounds)
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.value_range, self.rounds = _read_range(value_range), rounds
        keys = jax.random.split(key, 4)
        self.recall = Dense(math.prod(observation_shape), width, key=keys[0])
        self.again = Dense(width, width, key=keys[1], scale=0.3)
        self.policy = Dense(width, actions, key=keys[2], scale=0.1)
        self.value = Dense(width, 1, key=keys[3], scale=0.1)

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits, or answers, and value of one observation."""
        given = self.recall(observation.reshape(-1))
        h = jnp.clip(given, -1.0, 1.0)
        for _ in range(self.rounds - 1):
            h = jnp.clip(self.again(h) + given, -1.0, 1.0)
        return self.policy(h), _squash(self.value(h)[0], self.value_range)

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width and rounds."""
        size = {"width": self.again.w.shape[0], "rounds": self.rounds}
        return {**_common_config(self), **size}

    @property
    def multiply_adds(self) -> int:
        """The weights of the repeated layer count once for each round after the first."""
        once = sum(layer.w.size for layer in (self.recall, self.policy, self.value))
        return once + (self.rounds - 1) * self.again.w.size
