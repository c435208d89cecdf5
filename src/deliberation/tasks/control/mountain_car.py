"""MountainCar: drive out of a valley with a motor too weak for it, by swinging back and forth.

The dynamics, rewards and first states are those of Gymnasium's MountainCar-v0 (Towers et al. 2024),
after Moore 1990, "Efficient memory-based learning for robot control". The time limit cuts
episodes (`truncated`), as Gymnasium's does.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ..bases import ChoosingTask, CostsTime, taken

TASKS = {
    "mountain_car": {
        "summary": "Swing a car out of a valley (MountainCar-v0); option horizon",
        "factory": "MountainCar",
        "options": {"horizon": 200},
    },
}

_FORCE, _GRAVITY = 0.001, 0.0025
_FASTEST, _LEFT, _RIGHT, _GOAL = 0.07, -1.2, 0.6, 0.5


class CarState(eqx.Module):
    """The position along the valley, the speed (position a step), and the actions taken."""

    x: Float[Array, ""]
    speed: Float[Array, ""]
    time: Int[Array, ""]


class MountainCar(ChoosingTask):
    """Action 0 accelerates to the left, 1 not at all, 2 to the right; each costs 1.

    An episode ends at the flag (position 0.5), and is cut after `horizon` actions.
    """

    actions: ClassVar[int] = 3
    horizon: int = eqx.field(static=True, default=200)

    @property
    def objective(self) -> Objective:
        """Minus one an action."""
        return CostsTime(self.horizon)

    def init(self, key: Key[Array, ""]) -> CarState:
        """Near the bottom (-0.6 to -0.4, uniform), standing."""
        x = jax.random.uniform(key, (), jnp.float32, minval=-0.6, maxval=-0.4)
        return CarState(x, jnp.float32(0), jnp.int32(0))

    def advance(self, state: CarState, action: Int[Array, ""], key: Key[Array, ""]) -> CarState:
        """One step; the wall on the left stops the car."""
        del key
        pull = (action - 1) * _FORCE - _GRAVITY * jnp.cos(3 * state.x)
        speed = jnp.clip(state.speed + pull, -_FASTEST, _FASTEST)
        x = jnp.clip(state.x + speed, _LEFT, _RIGHT)
        speed = jnp.where((x == jnp.float32(_LEFT)) & (speed < 0), 0, speed)
        return CarState(x, speed, state.time + 1)

    def observe(self, state: CarState) -> Float[Array, " 2"]:
        """Position and speed, as in Gymnasium: the time is not shown."""
        return jnp.stack([state.x, state.speed])

    def terminated(self, state: CarState) -> Bool[Array, ""]:
        """At the flag and not rolling back."""
        return (state.x >= _GOAL) & (state.speed >= 0)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Which way the car accelerates."""
        return ("left", "coast", "right")

    def table_seen(self, state: CarState) -> tuple[tuple[str, str], ...]:
        """Position, speed and time."""
        return (
            ("position", f"{float(state.x):+.3f}"),
            ("speed a step", f"{float(state.speed):+.4f}"),
            ("time", taken(state.time, self.horizon)),
        )

    def render(self, state: CarState) -> str:
        """Position, speed and time."""
        place = f"car at {float(state.x):+.3f}, {float(state.speed):+.4f} a step"
        return f"{place}\n{taken(state.time, self.horizon)}"
