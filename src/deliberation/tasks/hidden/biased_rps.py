"""Rock-paper-scissors against an opponent with a habit (Farias et al. 2010; Veness et al. 2011).

The opponent repeats rock after winning with rock, and else plays at random: winning takes losing
on purpose, to scissors against a rock that then comes again.
"""

import functools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SensingTask, TimedObjective, TimedTask
from ..chance import draw_outcome

TASKS = {
    "biased_rps": {
        "summary": "Rock-paper-scissors; the opponent repeats rock after it won; option horizon",
        "factory": "BiasedRPS",
        "options": {"horizon": 20},
    },
}

ROCK, PAPER, SCISSORS = range(3)
_TOLD = 100_000
"""The exact optimum is told up to this horizon."""
_NOTHING = 3


class RPSState(eqx.Module):
    """The opponent's last action (3: none yet), the result (1 won, 0 drawn, -1 lost), the time."""

    theirs: Int[Array, ""]
    result: Int[Array, ""]
    time: Int[Array, ""]


class WinsRounds(TimedObjective):
    """1 for a win, 0 for a draw, -1 for a loss."""

    gains: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def reward(self, state: RPSState, action: Int[Array, ""], after: RPSState) -> Float[Array, ""]:
        """The result of the round."""
        del state, action
        return after.result.astype(jnp.float32)

    def optimum(self, state: RPSState) -> Float[Array, ""]:
        """The best expected return (exact): a quarter a round in the long run.

        Scissors until the opponent wins with rock, which one round in three does; then paper.
        """
        if self.horizon > _TOLD:
            return jnp.float32(jnp.nan)
        values = jnp.asarray(rps_values(self.horizon))
        return values[self.horizon - state.time, _repeats(state).astype(jnp.int32)]


class BiasedRPS(TimedTask, SensingTask):
    """Actions and observations: 0 rock, 1 paper, 2 scissors. An episode has `horizon` rounds."""

    senses: ClassVar[int] = 4
    gains: ClassVar[tuple[int, int]] = (-1, 1)
    horizon: int = eqx.field(static=True, default=20)

    def __repr__(self) -> str:
        return f"BiasedRPS(horizon={self.horizon})"

    @property
    def traits(self) -> Traits:
        """One player; the opponent's three actions are chance, and nothing is hidden."""
        return Traits(1, 3, self.horizon, deterministic=False, outcomes=3)

    @property
    def objective(self) -> Objective:
        """Rounds won less rounds lost."""
        return WinsRounds(self.horizon)

    def init(self, key: Key[Array, ""]) -> RPSState:
        """Nothing played yet."""
        del key
        return RPSState(jnp.int32(_NOTHING), jnp.int32(0), jnp.int32(0))

    def advance(self, state: RPSState, action: Int[Array, ""], key: Key[Array, ""]) -> RPSState:
        """One round."""
        return draw_outcome(self, state, action, key)

    def outcomes(
        self, state: RPSState, action: Int[Array, ""]
    ) -> tuple[RPSState, Float[Array, " outcomes"]]:
        """The opponent plays rock, paper or scissors."""
        theirs = jnp.arange(3, dtype=jnp.int32)

        def played(theirs: Int[Array, ""]) -> RPSState:
            # Each action beats the one before it.
            result = (action - theirs + 1) % 3 - 1
            return RPSState(theirs, result.astype(jnp.int32), state.time + 1)

        after = jax.vmap(played)(theirs)
        chances = jnp.where(_repeats(state), theirs == ROCK, 1 / 3)
        return after, chances.astype(jnp.float32)

    def observe(self, state: RPSState) -> Float[Array, " 7"]:
        """One-hot: the opponent's last action and the last result; the time that is left."""
        theirs = state.theirs == jnp.arange(3)
        result = (state.result == jnp.arange(-1, 2)) & (state.theirs != _NOTHING)
        left = 1 - state.time / self.horizon
        return jnp.concatenate([theirs, result, left[None]]).astype(jnp.float32)

    def sense(self, state: RPSState) -> Int[Array, ""]:
        """The opponent's last action; 3 before the first round."""
        return state.theirs

    def terminated(self, state: RPSState) -> Array:
        """Out of time."""
        return state.time >= self.horizon

    @property
    def action_names(self) -> tuple[str, ...]:
        """What one shows."""
        return ("rock", "paper", "scissors")

    def table_seen(self, state: RPSState) -> tuple[tuple[str, str], ...]:
        """The last round and the time."""
        return tuple(zip(("last round", "time"), self.render(state).split("\n"), strict=True))

    def render(self, state: RPSState) -> str:
        """The last round and the time."""
        theirs = ("rock", "paper", "scissors", "nothing yet")[int(state.theirs)]
        result = ("lost", "drawn", "won")[int(state.result) + 1]
        return f"opponent: {theirs} ({result})\n{int(state.time)} of {self.horizon} rounds played"


def _repeats(state: RPSState) -> Array:
    """Whether the opponent has just won with rock."""
    return (state.theirs == ROCK) & (state.result == -1)


@functools.cache
def rps_values(horizon: int) -> Float[np.ndarray, "left 2"]:
    """The best return with so many rounds left, where the opponent is free and where it repeats."""
    values = np.zeros((horizon + 1, 2))
    for n in range(1, horizon + 1):
        free, repeats = values[n - 1]
        values[n, 0] = max(free, (2 * free + repeats) / 3)
        values[n, 1] = max(1 + free, -1 + repeats)
    return values.astype(np.float32)
