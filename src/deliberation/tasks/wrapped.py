"""What tasks around another task have in common: their states hold that one's, as `state`, or are
the same."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Int

from ..core.objective import Action, Objective
from ..core.picture import Picture
from ..core.task import Task, Traits


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

    def table_seen(self, state: Any) -> tuple[tuple[str, str], ...]:
        """As within."""
        return self.task.table_seen(state.state)

    def picture(self, state: Any) -> Picture | None:
        """As within."""
        return self.task.picture(state.state)

    def player(self, state: Any) -> Int[Array, ""]:
        """Whose move it is within."""
        return self.task.player(state.state)


def _as_within(name: str) -> Any:
    """A method that is the task's own."""

    def method(self: "SameStates", *given: Any) -> Any:
        return getattr(self.of, name)(*given)

    method.__doc__ = "As in the task `of`."
    return method


def _told_within(name: str) -> Any:
    """A property that is the task's own."""
    return property(lambda self: getattr(self.of, name), doc="That of the task `of`.")


class SameStates(Task):
    """The task `of`, states and all, but for what subclasses change."""

    of: eqx.AbstractVar[Task]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.of!r})"

    @property
    def traits(self) -> Traits:
        """Those of the task."""
        return self.of.traits

    objective, action_names = (_told_within(name) for name in ("objective", "action_names"))
    init, starts, advance, outcomes = map(_as_within, ("init", "starts", "advance", "outcomes"))
    observe, legal, player = map(_as_within, ("observe", "legal", "player"))
    terminated, truncated = map(_as_within, ("terminated", "truncated"))
    only_cut = _as_within("only_cut")
    resample, fingerprint = map(_as_within, ("resample", "fingerprint"))
    render, render_seen = map(_as_within, ("render", "render_seen"))
    table_seen, picture = map(_as_within, ("table_seen", "picture"))
