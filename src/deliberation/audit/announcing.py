"""Objectives that are announced to a subject: its own, and something more in some places."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..core.objective import Action, Objective
from ..core.task import State
from .exam import Exam, Face


class Bonus(Objective):
    """The rewards of `base`, and `amount` more for arriving in any of some places: to the first
    player, and at the cost of the second where there are two.

    A place is a state whatever the time is; `places` holds what `face` makes of each.
    """

    base: Objective
    face: Face
    places: Int[Array, "places words"]
    amount: Float[Array, ""]

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " players"]:
        """Rewards, one for each player."""
        there = (self.face(after) == self.places).all(-1).any()
        own = self.base(state, action, after)
        return own + self.amount * there * jnp.array([1.0, -1.0])[: own.shape[0]]

    @property
    def discount(self) -> float:
        """That of the rewards it adds to."""
        return self.base.discount


def bonus(exam: Exam, places: Int[np.ndarray, " places"], amount: float) -> Bonus:
    """The announcement that arriving in these places of an exam pays `amount` more."""
    shown = jnp.asarray(exam.faces[places])
    return Bonus(exam.objective, exam.face, shown, jnp.asarray(amount, jnp.float32))
