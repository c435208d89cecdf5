"""Pendulum: swing a pendulum up with a motor too weak to lift it at once, and hold it there.

The dynamics, rewards and first states are those of Gymnasium's Pendulum-v1 (Towers et al. 2024).
The time limit cuts episodes (`truncated`), as Gymnasium's does. Everything but the limits of speed
is smooth, so gradients of rewards flow back through the actions.
"""

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import CutTask, TimedObjective, taken

TASKS = {
    "pendulum": {
        "summary": "Swing a pendulum up and hold it (Pendulum-v1); options horizon, gravity",
        "factory": "Pendulum",
        "continuous": True,
        "options": {"horizon": 200, "gravity": 10.0},
    },
}

TORQUE, FASTEST, SECONDS = 2.0, 8.0, 0.05
"""The largest torque (newton metres) and speed (radians a second); the length of a step."""
WORST = math.pi**2 + 0.1 * FASTEST**2 + 0.001 * TORQUE**2
"""What one action can cost at most."""


class PendulumState(eqx.Module):
    """Radians from upright (not wrapped round), radians a second, and the actions taken."""

    angle: Float[Array, ""]
    spin: Float[Array, ""]
    time: Int[Array, ""]


class StaysUpright(TimedObjective):
    """Minus the squares of the angle, of a tenth of the spin's and a thousandth of the torque's.

    They are those of the state before the action, so the first reward tells nothing of the action
    but its torque.
    """

    gains: ClassVar[tuple[float, float]] = (-WORST, 0.0)

    def reward(
        self, state: PendulumState, action: Float[Array, " 1"], after: PendulumState
    ) -> Float[Array, ""]:
        """From -16.27 to 0."""
        del after
        cost = wrapped(state.angle) ** 2 + 0.1 * state.spin**2 + 0.001 * action[0] ** 2
        return -cost


class Pendulum(CutTask):
    """An action is a torque from -2 to 2 newton metres, in an array of shape (1,).

    `gravity` is in metres per second squared. Nothing ends an episode; it is cut after `horizon`
    actions of 50 milliseconds.
    """

    horizon: int = eqx.field(static=True, default=200)
    gravity: float = eqx.field(static=True, default=10.0)

    def __check_init__(self) -> None:
        if not math.isfinite(self.gravity):
            raise ValueError(f"Pendulum needs a finite gravity; got {self.gravity}.")

    def __repr__(self) -> str:
        return f"Pendulum({self.horizon} actions, gravity={self.gravity:g})"

    @property
    def traits(self) -> Traits:
        """One player and a torque; no chance but in the first state."""
        return Traits(
            players=1,
            actions=1,
            horizon=self.horizon,
            discrete=False,
            shape=(1,),
            low=-TORQUE,
            high=TORQUE,
        )

    @property
    def objective(self) -> Objective:
        """Upright, still, and without effort."""
        return StaysUpright(self.horizon)

    def init(self, key: Key[Array, ""]) -> PendulumState:
        """Any angle, and a spin from -1 to 1."""
        angle, spin = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
        return PendulumState(math.pi * angle, spin, jnp.int32(0))

    def advance(
        self, state: PendulumState, action: Float[Array, " 1"], key: Key[Array, ""]
    ) -> PendulumState:
        """One semi-implicit Euler step of a rod of one metre and one kilogram."""
        del key
        turn = 1.5 * self.gravity * jnp.sin(state.angle) + 3 * action[0]
        spin = jnp.clip(state.spin + SECONDS * turn, -FASTEST, FASTEST)
        return PendulumState(state.angle + SECONDS * spin, spin, state.time + 1)

    def observe(self, state: PendulumState) -> Float[Array, " 3"]:
        """Cosine and sine of the angle, and the spin, as in Gymnasium: the time is not shown."""
        return jnp.stack([jnp.cos(state.angle), jnp.sin(state.angle), state.spin])

    def terminated(self, state: PendulumState) -> Bool[Array, ""]:
        """Never: swinging goes on until the time limit cuts it."""
        del state
        return jnp.bool_(False)

    def render(self, state: PendulumState) -> str:
        """Where it points, how fast it turns, and the time."""
        degrees = math.degrees(float(wrapped(state.angle)))
        return (
            f"{degrees:+.1f} degrees from upright, {float(state.spin):+.3f} rad/s\n"
            f"{taken(state.time, self.horizon)}"
        )


def wrapped(angle: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """An angle in radians brought to from -pi up to pi."""
    return jnp.mod(angle + math.pi, 2 * math.pi) - math.pi
