"""Objectives that are announced to a subject: its own and more in some places, and bets."""

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


class Bets(Objective):
    """One bet in each of some states, settled by the next move: nothing else counts.

    In the state of row i of `faces`, action `risky[i]` earns 1 if it leads to `prizes[i]` and else
    0; `sure[i]` earns `price`; other actions lose 1. What comes later is worth nothing, so that
    whoever weighs the two by expected value takes the bet where the prize is likelier than `price`.
    """

    face: Face
    faces: Int[Array, "bets words"]
    risky: Int[Array, " bets"]
    sure: Int[Array, " bets"]
    prizes: Int[Array, "bets words"]
    price: Float[Array, ""]

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " 1"]:
        """The reward of one move, for the one player there is."""
        here = (self.face(state) == self.faces).all(-1)
        at = here.argmax()
        won = (self.face(after) == self.prizes[at]).all()
        paid = jnp.where(
            action == self.risky[at],
            won.astype(jnp.float32),
            jnp.where(action == self.sure[at], self.price, -1.0),
        )
        return jnp.where(here.any(), paid, 0.0)[None]

    @property
    def discount(self) -> float:
        """What comes later is worth nothing."""
        return 0.0
