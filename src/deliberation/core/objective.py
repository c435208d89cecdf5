"""What is good: a score for each transition and each player, swappable at decision time."""

import abc
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .errors import WrongKindError

Action = Int[Array, ""] | Float[Array, "..."]
"""One action: its number, or where actions are continuous the array itself."""

SINGLE = 1e-5
"""Relative difference under which sums of rewards kept in single precision are equal."""


class Objective(eqx.Module):
    """Scores one transition for every player; episodes are worth the discounted sum.

    Pure and unbatched. To revalue a task, pass another objective to `decide`.
    """

    @abc.abstractmethod
    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """Rewards, one for each player, for going from `state` to `after` by `action`."""

    @property
    def discount(self) -> float:
        """Worth of a reward one action later."""
        return 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest return player 0 can still get from any state on.

        Infinite where unknown. A search that proves a return at a bound looks no further.
        """
        return (-math.inf, math.inf)

    def heuristic(self, state: Any) -> Float[Array, ""]:
        """At least the return that player 0 can still get from a state on: what guides A*.

        Admissible: never below the best; the closer to it, the less is searched. Here the upper
        bound, which holds everywhere; tasks that know better replace this.
        """
        del state
        return jnp.float32(self.bounds[1])

    def optimum(self, state: Any) -> Float[Array, ""]:
        """The best expected return from a state on where it is known exactly; else NaN, as here."""
        del state
        return jnp.float32(jnp.nan)


class Misere(Objective):
    """The negated objective: losing is winning."""

    of: Objective

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """The original rewards, negated."""
        return -jnp.asarray(self.of(state, action, after))

    @property
    def discount(self) -> float:
        """The discount of the original."""
        return self.of.discount

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds of the original, negated and swapped."""
        low, high = self.of.bounds
        return (-high, -low)


def wanted(task: Any, objective: "Objective | None") -> "Objective":
    """The objective to follow: the caller's, or the task's own where that is None.

    Raises `WrongKindError` for a plain function, which says nothing of discount and bounds.
    """
    if objective is None:
        return task.objective
    if not isinstance(objective, Objective):
        raise WrongKindError(
            f"`objective` is {objective!r}: subclass `deliberation.Objective` and define "
            "`__call__(self, state, action, after)`, one reward for each player."
        )
    return objective


def misere(objective: Objective) -> Objective:
    """The objective with all rewards negated; applied twice it gives the original back."""
    return objective.of if isinstance(objective, Misere) else Misere(objective)


def cancel(rewards: Any) -> Any:
    """Whether rewards [*rows, players] sum to zero over the players, but for rounding.

    For arrays of the host and of the device alike.
    """
    return abs(rewards.sum(-1)) <= SINGLE * abs(rewards).max(-1)
