"""What many tasks and objectives have in common: one player, turns in alternation, zero-sum games.

A base defines what follows from its kind and leaves the rest abstract; nothing here is overridden.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.errors import TaskOptionError
from ..core.objective import Action, Objective
from ..core.task import State, Task, Traits


class SoloTask(Task):
    """A task for one player, who has every action until the end."""

    def player(self, state: State) -> Int[Array, ""]:
        """There is one."""
        del state
        return jnp.int32(0)

    def legal(self, state: State) -> Bool[Array, " actions"]:
        """All actions, until the episode is over."""
        return jnp.broadcast_to(~self.terminated(state), (self.traits.actions,))


class TimedTask(SoloTask):
    """A task for one player whose state counts the actions in `time`, up to `horizon`."""

    horizon: eqx.AbstractVar[int]

    def __check_init__(self) -> None:
        check_horizon(type(self).__name__, self.horizon)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.horizon} actions)"


class CutTask(TimedTask):
    """A timed task whose clock cuts episodes and ends none, as Gymnasium's `TimeLimit` does.

    The limit is no part of the problem: the time is not observed, a state at the limit keeps its
    legal actions, learners bootstrap from it and planners look past it.
    """

    def truncated(self, state: State) -> Bool[Array, ""]:
        """After `horizon` actions."""
        return state.time >= self.horizon


class ChoosingTask(CutTask):
    """A task with a time limit, numbered actions, and no chance but in the first state."""

    actions: eqx.AbstractClassVar[int]

    @property
    def traits(self) -> Traits:
        """One player, so many actions, no chance but in the first state."""
        return Traits(players=1, actions=self.actions, horizon=self.horizon)


class SensingTask(SoloTask):
    """A task that also says what was sensed as one number: what agents that predict bits ask for.

    There are `senses` values of it. `gains` are the least and the greatest reward of one action;
    all are whole numbers.
    """

    senses: eqx.AbstractClassVar[int]
    gains: eqx.AbstractClassVar[tuple[int, int]]

    @abc.abstractmethod
    def sense(self, state: State) -> Int[Array, ""]:
        """What the last action let the player sense, from 0 to `senses` - 1."""


class AlternatingTask(Task):
    """A game in which the players take turns; the state counts the moves in `ply`."""

    def player(self, state: State) -> Int[Array, ""]:
        """Players alternate; a pass is a move."""
        return state.ply % self.traits.players


class SoloObjective(Objective):
    """An objective for one player."""

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """The reward of the only player."""
        return jnp.asarray(self.reward(state, action, after), jnp.float32)[None]

    @abc.abstractmethod
    def reward(self, state: Any, action: Action, after: Any) -> Float[Array, ""]:
        """What the transition earns."""


class Discounted(Objective):
    """An objective that is told its discount, and the least and the greatest return."""

    gamma: eqx.AbstractVar[float]
    limits: eqx.AbstractVar[tuple[float, float]]

    @property
    def discount(self) -> float:
        """Gamma."""
        return self.gamma

    @property
    def bounds(self) -> tuple[float, float]:
        """The limits given."""
        return self.limits


class TimedObjective(SoloObjective):
    """Rewards for at most `horizon` actions; `gains` are the least and the greatest of one.

    The bounds are those of an episode, which no more actions belong to even where it is only cut.
    """

    horizon: int = eqx.field(static=True)
    gains: eqx.AbstractClassVar[tuple[float, float]]

    @property
    def bounds(self) -> tuple[float, float]:
        """The least or the greatest reward all the time; nothing, once it is over."""
        least, most = self.gains
        return (min(least, 0.0) * self.horizon, max(most, 0.0) * self.horizon)


class CostsTime(TimedObjective):
    """Minus one for every action: the sooner the end, the better."""

    gains: ClassVar[tuple[float, float]] = (-1.0, -1.0)

    def reward(self, state: Any, action: Action, after: Any) -> Float[Array, ""]:
        """Whatever is done costs the same."""
        del state, action, after
        return jnp.float32(-1)


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


LONGEST = 1_000_000_000
"""No horizon is longer: the clock counts in 32 bits."""


def check_horizon(task: str, horizon: int | None, most: int = LONGEST) -> None:
    """Refuse a time limit below 1 or beyond `most`; None stands for a task's own default."""
    if horizon is not None and horizon < 1:
        raise ValueError(f"{task} needs a horizon of at least 1; got {horizon}.")
    check_sizes(task, most, horizon=horizon)


def check_sizes(task: str, most: int, **sizes: int | None) -> None:
    """Refuse sizes beyond what can be computed, by name and before anything is built of them."""
    for name, size in sizes.items():
        if size is not None and size > most:
            told = f"{size:,}" if size < 10**18 else "far more"
            raise TaskOptionError(f"{task} takes a {name} of at most {most:,}; got {told}.")


def check_seed(task: str, seed: int) -> None:
    """Refuse a negative seed, of which no generator is made."""
    if seed < 0:
        raise ValueError(f"{task} needs a seed of at least 0; got {seed}.")


def taken(time: Int[Array, ""], horizon: int) -> str:
    """The time of a state in words, for people."""
    return f"{int(time)} of {horizon} actions taken"


def time_told(time: Int[Array, ""], horizon: int | None) -> tuple[tuple[str, str], ...]:
    """A row of a table for the time, where it is limited."""
    return () if horizon is None else (("time", taken(time, horizon)),)
