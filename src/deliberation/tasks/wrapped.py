"""What tasks around another task have in common: their states hold that one's, as `state`."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Int

from ..core.objective import Action, Objective
from ..core.picture import Picture
from ..core.task import Task


class Unwrapped(Objective):
    """An objective of the task within, for states that hold its states."""

    of: Objective

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """The same rewards."""
        return self.of(state.state, action, after.state)

    @property
    def discount(self) -> float:
        """The same."""
        return self.of.discount

    @property
    def bounds(self) -> tuple[float, float]:
        """The same."""
        return self.of.bounds


class WrappedTask(Task):
    """A task around another one, whose players and objective it keeps."""

    task: eqx.AbstractVar[Task]

    @property
    def objective(self) -> Objective:
        """That of the task within."""
        return Unwrapped(self.task.objective)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Those within."""
        return self.task.action_names

    def render(self, state: Any) -> str:
        """As within."""
        return self.task.render(state.state)

    def render_seen(self, state: Any) -> str:
        """As within."""
        return self.task.render_seen(state.state)

    def picture(self, state: Any) -> Picture | None:
        """As within."""
        return self.task.picture(state.state)

    def player(self, state: Any) -> Int[Array, ""]:
        """Whose move it is within."""
        return self.task.player(state.state)
