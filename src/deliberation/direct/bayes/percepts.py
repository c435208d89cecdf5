"""What an agent is told after each action, as bits: an observation and a whole-numbered reward."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import UnsuitableTaskError
from ...core.task import State, Task

MOST_BITS = 30


@runtime_checkable
class Perceived(Protocol):
    """A task that numbers what is seen, and whose own rewards are whole numbers within bounds."""

    @property
    def senses(self) -> int:
        """How many different things can be seen."""
        ...

    @property
    def gains(self) -> tuple[int, int]:
        """The least and the greatest reward of one action."""
        ...

    def sense(self, state: Any) -> Int[Array, ""]:
        """What is seen, from 0 to below `senses`, without the clock."""
        ...


class Percepts(eqx.Module):
    """Observations and rewards as unsigned numbers, as Veness et al. (2011, table 2) encode them.

    `sense` numbers what is seen of a state, from 0 to below `senses`; rewards are whole numbers
    from `low` to `high`, told as their distance from `low`. The observation's bits come first, the
    most significant first.
    """

    sense: Callable[[State], Int[Array, ""]] = eqx.field(static=True)
    senses: int = eqx.field(static=True)
    low: int = eqx.field(static=True)
    high: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.senses < 1 or self.low >= self.high:
            raise ValueError(
                "Percepts need something to see and rewards that differ; got "
                f"senses={self.senses}, rewards from {self.low} to {self.high}."
            )
        if self.bits > MOST_BITS:
            raise UnsuitableTaskError(
                f"A percept of {self.bits} bits is too wide: observations and rewards are numbered "
                f"together in {MOST_BITS}. Number fewer things, or scale the rewards."
            )

    @staticmethod
    def of(task: Task) -> "Percepts":
        """Those of a task that numbers them itself; `UnsuitableTaskError` for others."""
        if not isinstance(task, Perceived):
            raise UnsuitableTaskError(
                f"{task!r} does not say how it is perceived. Define `sense`, `senses` and `gains` "
                "(see direct.percepts.Perceived), or hand over Percepts(sense, senses, low, high)."
            )
        return Percepts(task.sense, task.senses, *task.gains)

    @property
    def observation_bits(self) -> int:
        """Enough to number all that can be seen."""
        return max(self.senses - 1, 1).bit_length()

    @property
    def reward_bits(self) -> int:
        """Enough to number all rewards."""
        return (self.high - self.low).bit_length()

    @property
    def bits(self) -> int:
        """Those of a whole percept."""
        return self.observation_bits + self.reward_bits

    def encode(
        self, after: State, reward: Float[Array, ""]
    ) -> tuple[Int[Array, ""], Bool[Array, ""]]:
        """The percept's number, and whether it can be told (the reward whole and within bounds)."""
        told = jnp.round(reward - self.low)
        fits = (jnp.abs(reward - self.low - told) < 1e-4) & (told >= 0)
        fits &= told <= self.high - self.low
        told = jnp.clip(jnp.where(fits, told, 0), 0, self.high - self.low).astype(jnp.int32)
        seen = jnp.asarray(self.sense(after)).astype(jnp.int32)
        return seen * 2**self.reward_bits + told, fits & (seen >= 0) & (seen < self.senses)
