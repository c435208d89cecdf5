"""What many tasks and objectives have in common: one player, turns in alternation, zero-sum games.

A base defines what follows from its kind and leaves the rest abstract; nothing here is overridden.
"""

import abc
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.objective import Action, Objective
from ..core.task import State, Task


class SoloTask(Task):
    """A task for one player, who has every action until the end."""

    def player(self, state: State) -> Int[Array, ""]:
        """There is one."""
        del state
        return jnp.int32(0)

    def legal(self, state: State) -> Bool[Array, " actions"]:
        """All actions, until the episode is over."""
        return jnp.broadcast_to(~self.terminated(state), (self.traits.actions,))


class AlternatingTask(Task):
    """A game in which the players take turns; the state counts the moves in `ply`."""

    def player(self, state: State) -> Int[Array, ""]:
        """Players alternate; a pass is a move."""
        return state.ply % self.traits.players


class ZeroSum(Objective):
    """What one of two players gets, the other loses."""

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """What the transition brings player 0, and its negative for player 1."""
        first = jnp.asarray(self.score(state, action, after), jnp.float32)
        return jnp.stack([first, -first])

    @abc.abstractmethod
    def score(self, state: Any, action: Action, after: Any) -> Float[Array, ""]:
        """What the transition brings player 0."""


class WinOrLoss(ZeroSum):
    """1 for the winner, -1 for the loser, 0 for a draw, as the game ends."""

    @property
    def bounds(self) -> tuple[float, float]:
        """A game is lost or won once."""
        return (-1.0, 1.0)


class MoverWins(WinOrLoss):
    """Whoever makes the move that sets `won` wins; the state counts the moves in `ply`."""

    def score(self, state: Any, action: Action, after: Any) -> Float[Array, ""]:
        """Only the mover of `state` can win by this transition."""
        del action
        return signed(state.ply, after.won)


def signed(ply: Int[Array, ""], gain: Array) -> Float[Array, ""]:
    """What the player who moves at a ply gains, as player 0 sees it."""
    return jnp.where(ply % 2 == 0, 1.0, -1.0) * gain


def check_horizon(task: str, horizon: int | None) -> None:
    """Refuse a time limit in which nothing can be done; None, a task's own default, is fine."""
    if horizon is not None and horizon < 1:
        raise ValueError(f"{task} needs a horizon of at least 1; got {horizon}.")
