"""A task as `rollout` plays it: what cuts an episode ends it.

Scores are returns of episodes that stop at a cut (`Task.truncated`) and at the horizon, so that
the best and random play have to be told of such episodes too, and not of those that go on.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..core.objective import Action
from ..core.task import State, Task, Traits, may_be_cut, stopped
from ..tasks.wrapped import WrappedTask


class PlayedState(eqx.Module):
    """A state of the task, and how many actions led to it."""

    state: State
    time: Int[Array, ""]


class AsPlayed(WrappedTask):
    """The same world in episodes that end wherever `rollout` stops them."""

    task: Task

    @property
    def traits(self) -> Traits:
        """Those of the task; but its episodes end."""
        return dataclasses.replace(self.task.traits, continuing=False)

    def init(self, key: Key[Array, ""]) -> PlayedState:
        """A first state of the task."""
        return PlayedState(self.task.init(key), jnp.int32(0))

    def starts(self) -> tuple[PlayedState, Float[Array, " starts"]] | None:
        """Those of the task."""
        listed = self.task.starts()
        if listed is None:
            return None
        states, chances = listed
        return jax.vmap(lambda s: PlayedState(s, jnp.int32(0)))(states), chances

    def advance(self, state: PlayedState, action: Action, key: Key[Array, ""]) -> PlayedState:
        """By the rules of the task."""
        return PlayedState(self.task.advance(state.state, action, key), state.time + 1)

    def outcomes(
        self, state: PlayedState, action: Action
    ) -> tuple[PlayedState, Float[Array, " outcomes"]]:
        """Those of the task."""
        after, chances = self.task.outcomes(state.state, action)
        return jax.vmap(lambda s: PlayedState(s, state.time + 1))(after), chances

    def resample(self, state: PlayedState, key: Key[Array, ""]) -> PlayedState:
        """Whoever plays counts the actions."""
        return PlayedState(self.task.resample(state.state, key), state.time)

    def observe(self, state: PlayedState) -> Float[Array, "..."]:
        """What the task shows."""
        return self.task.observe(state.state)

    def legal(self, state: PlayedState) -> Bool[Array, " actions"]:
        """Nothing, once the episode has stopped."""
        return self.task.legal(state.state) & ~self.terminated(state)

    def terminated(self, state: PlayedState) -> Bool[Array, ""]:
        """Over, cut, or at the horizon."""
        return stopped(self.task, state.state) | (state.time >= self.task.traits.horizon)

    def fingerprint(self, state: PlayedState) -> Any:
        """The task's, and the clock."""
        return jnp.append(jnp.ravel(self.task.fingerprint(state.state)), state.time)


def as_played(task: Task) -> Task:
    """The task itself where its episodes are never cut."""
    return AsPlayed(task) if may_be_cut(task) else task
