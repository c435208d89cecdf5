"""The revaluation world of Momennejad et al. (2017): what is relearned from the second step alone?

Learned first: 1 leads to 3 and 5 (worth 10), 2 leads to 4 and 6 (worth 1). Then only 3 and 4 are
visited, with the rewards exchanged (reward revaluation), or where they lead to (transition
revaluation), or nothing changed (control). Then one chooses between 1 and 2. Planning follows both
changes, a successor representation only that of rewards, cached values neither.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.task import Traits
from ..bases import SoloObjective, SoloTask

TASKS = {
    "revaluation": {
        "summary": "Momennejad's two chains; options start (choice, middle), rewards, successors",
        "factory": "Revaluation",
        "options": {"start": "choice", "swap_rewards": False, "swap_successors": False},
    },
}

REWARDS = (10.0, 1.0)
STARTS = ("choice", "middle")
CONDITIONS = {
    "reward revaluation": {"swap_rewards": True},
    "transition revaluation": {"swap_successors": True},
    "control": {},
}
"""What is changed in the second phase of each condition; options of the task."""


class ChainState(eqx.Module):
    """The state: 0 the choice, then 1 to 6; and how many actions led to it."""

    place: Int[Array, ""]
    time: Int[Array, ""]


class LastReward(SoloObjective):
    """What arriving in state 5 and in state 6 is worth; data."""

    rewards: Float[Array, "2"]

    def reward(
        self, state: ChainState, action: Int[Array, ""], after: ChainState
    ) -> Float[Array, ""]:
        """Nothing before the last state."""
        last = jnp.maximum(after.place - 5, 0)
        return jnp.where(after.place >= 5, self.rewards[last], 0.0)


class Revaluation(SoloTask):
    """Action 0 or 1 chooses state 1 or 2; from there on both actions do the same.

    `start` is the "choice", or the "middle": state 3 or 4, drawn evenly, as in the second phase.
    `swap_successors` lets 3 lead to 6 and 4 to 5; `swap_rewards` exchanges what 5 and 6 are worth.
    """

    start: str = eqx.field(static=True, default="choice")
    swap_rewards: bool = eqx.field(static=True, default=False)
    swap_successors: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if self.start not in STARTS:
            raise ValueError(f"It starts at the {' or the '.join(STARTS)}; got {self.start!r}.")

    @property
    def traits(self) -> Traits:
        """One player, two actions, no chance after the start."""
        return Traits(players=1, actions=2, horizon=3)

    @property
    def objective(self) -> LastReward:
        """10 and 1, or the other way round."""
        return LastReward(jnp.array(REWARDS[::-1] if self.swap_rewards else REWARDS))

    @property
    def action_names(self) -> tuple[str, ...]:
        """Left to state 1, right to state 2."""
        return ("left", "right")

    def table_seen(self, state: ChainState) -> tuple[tuple[str, str], ...]:
        """Which state it is."""
        return (("state", f"{int(state.place)} of 0 to 6"),)

    def init(self, key: Key[Array, ""]) -> ChainState:
        """At the choice, or in the middle."""
        if self.start == "choice":
            return ChainState(jnp.int32(0), jnp.int32(0))
        middle = jax.random.bernoulli(key).astype(jnp.int32) + 3
        return ChainState(middle, jnp.int32(2))

    def advance(self, state: ChainState, action: Int[Array, ""], key: Key[Array, ""]) -> ChainState:
        """To the chosen state, and along its chain."""
        del key
        last = jnp.where(state.place == 3, 6, 5) if self.swap_successors else state.place + 2
        onward = jnp.where(state.place >= 3, last, state.place + 2)
        after = jnp.where(state.place == 0, action + 1, onward)
        return ChainState(after.astype(jnp.int32), state.time + 1)

    def observe(self, state: ChainState) -> Float[Array, "7"]:
        """Which state it is."""
        return (jnp.arange(7) == state.place).astype(jnp.float32)

    def terminated(self, state: ChainState) -> Bool[Array, ""]:
        """In state 5 or 6."""
        return state.place >= 5
