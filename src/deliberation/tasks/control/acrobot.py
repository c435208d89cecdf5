"""Acrobot: swing two links up by a motor between them.

The dynamics, rewards and first states are those of Gymnasium's Acrobot-v1 (Towers et al. 2024):
Sutton 1996, "Generalization in reinforcement learning", with the equations of motion of Sutton and
Barto's book, integrated by one Runge-Kutta step of fourth order. The time limit cuts episodes
(`truncated`), as Gymnasium's does.
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
    "acrobot": {
        "summary": "Swing two links up by the motor between them (Acrobot-v1); option horizon",
        "factory": "Acrobot",
        "options": {"horizon": 500},
    },
}

_GRAVITY, _SECONDS = 9.8, 0.2
_CENTRE = 0.5
"""Where the centre of mass of a link is; links are 1 m long, of 1 kg, with inertia 1."""
_FASTEST = (4 * math.pi, 9 * math.pi)


class AcrobotState(eqx.Module):
    """Radians of the first link from hanging down and of the second from the first; and speeds."""

    angles: Float[Array, " 2"]
    spins: Float[Array, " 2"]
    time: Int[Array, ""]


class SwingsUp(TimedObjective):
    """Minus one for every action that does not bring the tip up."""

    gains: ClassVar[tuple[float, float]] = (-1.0, 0.0)

    def reward(
        self, state: AcrobotState, action: Int[Array, ""], after: AcrobotState
    ) -> Float[Array, ""]:
        """The sooner it is up, the better; the last action is free."""
        del state, action
        return jnp.where(_is_up(after), 0.0, -1.0).astype(jnp.float32)


class Acrobot(ChoosingTask):
    """Actions 0, 1 and 2 apply a torque of -1, 0 and 1 newton metres between the links for 0.2 s.

    An episode ends when the tip is more than a link's length above the pivot, and is cut after
    `horizon` actions.
    """

    actions: ClassVar[int] = 3
    horizon: int = eqx.field(static=True, default=500)

    @property
    def objective(self) -> Objective:
        """Minus one an action, until the tip is up."""
        return SwingsUp(self.horizon)

    def init(self, key: Key[Array, ""]) -> AcrobotState:
        """Hanging down: all four numbers uniform from -0.1 to 0.1."""
        numbers = jax.random.uniform(key, (4,), jnp.float32, minval=-0.1, maxval=0.1)
        return AcrobotState(numbers[:2], numbers[2:], jnp.int32(0))

    def advance(
        self, state: AcrobotState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> AcrobotState:
        """One Runge-Kutta step of 0.2 seconds; angles are wrapped, speeds limited."""
        del key
        torque = (action - 1).astype(jnp.float32)
        numbers = jnp.concatenate([state.angles, state.spins])
        first = _slopes(numbers, torque)
        second = _slopes(numbers + _SECONDS / 2 * first, torque)
        third = _slopes(numbers + _SECONDS / 2 * second, torque)
        fourth = _slopes(numbers + _SECONDS * third, torque)
        numbers = numbers + _SECONDS / 6 * (first + 2 * second + 2 * third + fourth)
        angles = numbers[:2] - 2 * math.pi * jnp.round(numbers[:2] / (2 * math.pi))
        fastest = jnp.array(_FASTEST, jnp.float32)
        return AcrobotState(angles, jnp.clip(numbers[2:], -fastest, fastest), state.time + 1)

    def observe(self, state: AcrobotState) -> Float[Array, " 6"]:
        """Cosine and sine of both angles, and both speeds, as in Gymnasium; not the time."""
        waves = jnp.stack([jnp.cos(state.angles), jnp.sin(state.angles)], axis=1)
        return jnp.concatenate([waves.reshape(-1), state.spins])

    def terminated(self, state: AcrobotState) -> Bool[Array, ""]:
        """Up."""
        return _is_up(state)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The torque between the links."""
        return ("back", "none", "forth")

    def table_seen(self, state: AcrobotState) -> tuple[tuple[str, str], ...]:
        """Both angles and speeds, and the time."""
        first, second = (f"{math.degrees(float(x)):+.1f} degrees" for x in state.angles)
        spins = [f"{math.degrees(float(x)):+.1f} degrees/s" for x in state.spins]
        return (
            ("first link from hanging", first),
            ("second link from the first", second),
            ("speeds", " and ".join(spins)),
            ("time", taken(state.time, self.horizon)),
        )

    def render(self, state: AcrobotState) -> str:
        """Both angles and speeds, and the time."""
        angles, spins = (
            " and ".join(f"{math.degrees(float(x)):+.1f}" for x in pair)
            for pair in (state.angles, state.spins)
        )
        return f"links at {angles} degrees, {spins} degrees/s\n{taken(state.time, self.horizon)}"


def _is_up(state: AcrobotState) -> Bool[Array, ""]:
    """Whether the tip is more than a link's length above the pivot."""
    first, second = state.angles
    return -jnp.cos(first) - jnp.cos(second + first) > 1


def _slopes(numbers: Float[Array, " 4"], torque: Float[Array, ""]) -> Float[Array, " 4"]:
    """How angles and speeds change, a second (Sutton and Barto, the acrobot's equations)."""
    first, second, spin, other = numbers
    sine, cosine = jnp.sin(second), jnp.cos(second)
    inertia = _CENTRE**2 + (1 + _CENTRE**2 + 2 * _CENTRE * cosine) + 2
    shared = _CENTRE**2 + _CENTRE * cosine + 1
    # The cosine of an angle less a right one is the angle's sine.
    pull = _CENTRE * _GRAVITY * jnp.sin(first + second)
    swing = -_CENTRE * other * (other + 2 * spin) * sine
    swing = swing + (_CENTRE + 1) * _GRAVITY * jnp.sin(first) + pull
    push = torque + shared / inertia * swing - _CENTRE * spin**2 * sine - pull
    faster = push / (_CENTRE**2 + 1 - shared**2 / inertia)
    return jnp.stack([spin, other, -(shared * faster + swing) / inertia, faster])
