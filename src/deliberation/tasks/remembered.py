"""A task whose player is shown what it has seen: for learners that carry no memory of their own."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ..core.objective import Action
from ..core.task import State, Task, Traits
from .wrapped import WrappedTask


class Recalled(eqx.Module):
    """A state, and the latest observations, the newest first; zeros where there were none yet."""

    state: State
    seen: Float[Array, "frames ..."]


class Remembered(WrappedTask):
    """The same task, observed as its last `frames` observations on a new leading axis.

    Where something is hidden, a function of this can do what one of the latest observation cannot.
    First states for a key are those of the task itself.
    """

    task: Task
    frames: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"At least one observation is shown; got frames={self.frames}.")

    def __repr__(self) -> str:
        return f"Remembered({self.task!r}, {self.frames} observations)"

    def init(self, key: Key[Array, ""]) -> Recalled:
        """A first state, with what is seen in it."""
        state = self.task.init(key)
        now = self.task.observe(state).astype(jnp.float32)
        return Recalled(state, jnp.zeros((self.frames, *now.shape)).at[0].set(now))

    def advance(self, state: Recalled, action: Action, key: Key[Array, ""]) -> Recalled:
        """As the task goes on; what is seen comes first, and the oldest is forgotten."""
        after = self.task.advance(state.state, action, key)
        now = self.task.observe(after).astype(jnp.float32)
        return Recalled(after, jnp.concatenate([now[None], state.seen[:-1]]))

    @property
    def traits(self) -> Traits:
        """Those of the task."""
        return self.task.traits

    def observe(self, state: Recalled) -> Float[Array, "frames ..."]:
        """The latest observations, the newest first."""
        return state.seen

    def legal(self, state: Recalled) -> Bool[Array, " actions"]:
        """As in the task."""
        return self.task.legal(state.state)

    def terminated(self, state: Recalled) -> Bool[Array, ""]:
        """As in the task."""
        return self.task.terminated(state.state)

    def truncated(self, state: Recalled) -> Bool[Array, ""]:
        """As in the task."""
        return self.task.truncated(state.state)

    def only_cut(self, state: Recalled) -> Bool[Array, ""]:
        """As in the task."""
        return self.task.only_cut(state.state)

    def resample(self, state: Recalled, key: Key[Array, ""]) -> Recalled:
        """Another state that all that was seen allows; that stays the same."""
        return Recalled(self.task.resample(state.state, key), state.seen)


MOST = 8
"""So many observations are remembered unless told otherwise."""


def shown_with_memory(task: Any) -> Task:
    """The task itself where all is seen; else with up to `MOST` observations remembered."""
    if task.traits.fully_observable:
        return task
    return Remembered(task, min(task.traits.horizon, MOST))
