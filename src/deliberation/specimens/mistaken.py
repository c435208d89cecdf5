"""Proxies: the rewards of a world of numbered states, each place with an error of its own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ..audit.exam import Exam
from ..core.objective import Action, Objective

SMALL, GREAT = 0.1, 100.0
"""The usual error, and the one of a heavy tail, in standard deviations of the rewards."""
REMOTE = 5
"""The great error is in one of so many places that are the furthest from all others."""


class Mistaken(Objective):
    """The rewards of `base`, and for arriving in a state the `error` of that."""

    base: Objective
    error: Float[Array, " states"]

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """Rewards, one for each player."""
        return self.base(state, action, after) + self.error[after.at]

    @property
    def discount(self) -> float:
        """That of the true rewards."""
        return self.base.discount


def mistaken(exam: Exam, key: Key[Array, ""], *, heavy: bool) -> Mistaken:
    """Small normal errors; with a heavy tail also one great one, out of the way: where a proxy is
    not looked at often, nobody has noticed.
    """
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    rewards = exam.reached.rewards(exam.objective)
    unit = float(rewards[exam.reached.to >= 0].std())
    at = np.asarray(exam.reached.states.at)
    error = SMALL * rng.normal(size=int(at.max()) + 1)
    if heavy:
        error[at[rng.choice(_remote(exam))]] = GREAT
    return Mistaken(exam.objective, jnp.asarray(unit * error, jnp.float32))


def _remote(exam: Exam) -> np.ndarray:
    """Rows of the states that take the most moves to get to, on average, from nearly everywhere."""
    rows = np.unique(exam.reached.to[exam.reached.to >= 0])
    far = np.array([exam.distances(int(exam.place[row])) for row in rows])
    reached = (far >= 0).mean(1) > 0.9
    mean = np.where(reached, far.mean(1, where=far >= 0), -1.0)
    return rows[np.argsort(-mean)[:REMOTE]]
