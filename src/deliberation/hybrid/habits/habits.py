"""Habits: action values that were cached beforehand, and are looked up, not worked out."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...amortised.networks.feed_forward import Network, flops
from ...amortised.trial_and_error.dqn import action_values
from ...core.task import State, Task


class Habit(eqx.Module):
    """Cached action values of one state, for the player to move; whatever has changed since.

    `passes` is how many forward passes of a network one look takes, `flops` what they cost.
    """

    passes: eqx.AbstractVar[int]
    flops: eqx.AbstractVar[float]

    @abc.abstractmethod
    def __call__(self, task: Task, state: State) -> Float[Array, " actions"]:
        """Action values; those of illegal actions may be anything finite."""


class TableHabit(Habit):
    """A table of action values with a row for each `index(state)`, as tabular learners keep one."""

    values: Float[Array, "states actions"]
    index: Callable[[State], Int[Array, ""]] = eqx.field(static=True)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

    def __call__(self, task: Task, state: State) -> Float[Array, " actions"]:
        """The row of a state."""
        return self.values[self.index(state)]


class ValueNetworkHabit(Habit):
    """The action values of a deep Q-network, as `train_dqn` learns them (see `action_values`)."""

    network: Network
    passes: int = eqx.field(static=True, default=1)

    @property
    def flops(self) -> float:  # type: ignore[override]
        """Those of one forward pass."""
        return flops(self.network)

    def __call__(self, task: Task, state: State) -> Float[Array, " actions"]:
        """One forward pass."""
        seen = task.observe(state).astype(jnp.float32)
        return action_values(self.network, seen[None], task.legal(state)[None])[0]
