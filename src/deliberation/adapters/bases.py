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
    """A world whose states say whether they are ends (`over`), or where it cuts play (`cut`).

    It is never stepped past its own cut: what it would do there is no part of its contract, and no
    return that `rollout` measures. So planners stop at both, and learners bootstrap from a cut.
    """

    def terminated(self, state: State) -> Bool[Array, ""]:
        """At an end and at a cut: nothing comes after either."""
        return jnp.asarray(state.over | state.cut)

    def truncated(self, state: State) -> Bool[Array, ""]:
        """As the world said."""
        return self.only_cut(state)

    def only_cut(self, state: State) -> Bool[Array, ""]:
        """Where the world cut the episode, and did not end it."""
        return state.cut & ~state.over
