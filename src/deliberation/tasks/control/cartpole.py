"""CartPole: keep a pole upright on a cart by pushing the cart left or right.

The dynamics, thresholds, rewards and first states are those of Gymnasium's CartPole-v1 (Towers et
al. 2024), after Barto, Sutton and Anderson 1983, "Neuronlike adaptive elements that can solve
difficult learning control problems", integrated by explicit Euler steps. The
time limit cuts episodes (`truncated`), as Gymnasium's does.
"""

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ..bases import ChoosingTask, TimedObjective, taken

TASKS = {
    "cartpole": {
        "summary": "Keep a pole upright on a cart (CartPole-v1); option horizon",
        "factory": "CartPole",
        "options": {"horizon": 500},
    },
}

_GRAVITY, _FORCE, _SECONDS = 9.8, 10.0, 0.02
_CART, _POLE, _HALF_LENGTH = 1.0, 0.1, 0.5
_TOTAL = _CART + _POLE
_FARTHEST, _STEEPEST = 2.4, 12 * 2 * math.pi / 360


class CartPoleState(eqx.Module):
    """Metres, metres a second, radians from upright, radians a second; and the actions taken."""

    x: Float[Array, ""]
    speed: Float[Array, ""]
    angle: Float[Array, ""]
    spin: Float[Array, ""]
    time: Int[Array, ""]


class StaysUp(TimedObjective):
    """One for every action, the last included."""

    gains: ClassVar[tuple[float, float]] = (1.0, 1.0)

    def reward(
        self, state: CartPoleState, action: Int[Array, ""], after: CartPoleState
    ) -> Float[Array, ""]:
        """The longer the episode, the better."""
        del state, action, after
        return jnp.float32(1)

    def heuristic(self, state: CartPoleState) -> Float[Array, ""]:
        """The time that is left, nothing past the limit or once the pole has fallen."""
        left = jnp.maximum(self.horizon - state.time, 0).astype(jnp.float32)
        return jnp.where(_fallen(state), 0.0, left)


class CartPole(ChoosingTask):
    """Action 0 pushes left, action 1 right, both with 10 newtons for 20 milliseconds.

    An episode ends when the pole leans by more than 12 degrees, when the cart is more than 2.4
    metres away, and is cut after `horizon` actions. Positions are continuous, actions discrete.
    """

    actions: ClassVar[int] = 2
    horizon: int = eqx.field(static=True, default=500)

    @property
    def objective(self) -> Objective:
        """One an action."""
        return StaysUp(self.horizon)

    def init(self, key: Key[Array, ""]) -> CartPoleState:
        """All four numbers uniform from -0.05 to 0.05."""
        x, speed, angle, spin = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return CartPoleState(x, speed, angle, spin, jnp.int32(0))

    def advance(
        self, state: CartPoleState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> CartPoleState:
        """One explicit Euler step of the cart and the pole."""
        del key
        force = jnp.where(action == 1, _FORCE, -_FORCE)
        sine, cosine = jnp.sin(state.angle), jnp.cos(state.angle)
        push = (force + _POLE * _HALF_LENGTH * state.spin**2 * sine) / _TOTAL
        inertia = _HALF_LENGTH * (4 / 3 - _POLE * cosine**2 / _TOTAL)
        turn = (_GRAVITY * sine - cosine * push) / inertia
        pull = push - _POLE * _HALF_LENGTH * turn * cosine / _TOTAL
        return CartPoleState(
            state.x + _SECONDS * state.speed,
            state.speed + _SECONDS * pull,
            state.angle + _SECONDS * state.spin,
            state.spin + _SECONDS * turn,
            state.time + 1,
        )

    def observe(self, state: CartPoleState) -> Float[Array, " 4"]:
        """Place, speed, angle and spin, as in Gymnasium: the time is not shown."""
        return jnp.stack([state.x, state.speed, state.angle, state.spin]).astype(jnp.float32)

    def terminated(self, state: CartPoleState) -> Bool[Array, ""]:
        """Fallen, or driven off."""
        return _fallen(state)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Which way the cart is pushed."""
        return ("left", "right")

    def table_seen(self, state: CartPoleState) -> tuple[tuple[str, str], ...]:
        """The four numbers, and the time."""
        angle, spin = (math.degrees(float(x)) for x in (state.angle, state.spin))
        return (
            ("cart", f"{float(state.x):+.3f} m"),
            ("cart's speed", f"{float(state.speed):+.3f} m/s"),
            ("pole from upright", f"{angle:+.2f} degrees"),
            ("pole's speed", f"{spin:+.2f} degrees/s"),
            ("time", taken(state.time, self.horizon)),
        )

    def render(self, state: CartPoleState) -> str:
        """The four numbers, and the time."""
        return (
            f"cart at {float(state.x):+.3f} m, {float(state.speed):+.3f} m/s; "
            f"pole at {math.degrees(float(state.angle)):+.2f} degrees, "
            f"{math.degrees(float(state.spin)):+.2f} degrees/s\n"
            f"{taken(state.time, self.horizon)}"
        )


def _fallen(state: CartPoleState) -> Bool[Array, ""]:
    return (jnp.abs(state.x) > _FARTHEST) | (jnp.abs(state.angle) > _STEEPEST)
