"""What foreign worlds have in common: what was earned, and ends."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..core.objective import Action
from ..core.task import State, Task
from ..tasks.bases import Discounted
from ..tasks.sampled_chance import SampledChance

__all__ = ["UNKNOWN", "CutWorld", "Earned", "SampledChance"]
UNKNOWN = (-float("inf"), float("inf"))


class Earned(Discounted):
    """The world's own rewards: what came with the state that an action led to."""

    gamma: float = eqx.field(static=True, default=1.0)
    limits: tuple[float, float] = eqx.field(static=True, default=UNKNOWN)

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " players"]:
        """What the step gave."""
        del state, action
        return jnp.atleast_1d(after.reward)


class CutWorld(Task):
    """A world whose states say whether they are ends (`over`), or where play is cut (`cut`)."""

    def truncated(self, state: State) -> Bool[Array, ""]:
        """As the world said; a search may look past it."""
        return state.cut & ~state.over

    def terminated(self, state: State) -> Bool[Array, ""]:
        """As the world said."""
        return state.over
