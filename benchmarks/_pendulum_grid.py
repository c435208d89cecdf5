"""The pendulum solved on a fine grid: what planners are measured against."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from deliberation.tasks.control.pendulum import FASTEST, SECONDS, TORQUE, Pendulum, PendulumState


class Grid:
    """Values of all steps to go, by backward induction over angles, spins and torques.

    Between the points of the grid values are interpolated linearly, which the true value, being
    curved downwards nearly everywhere, exceeds a little: `value` is an estimate. What `play` earns
    is earned, by the policy that looks one step ahead at those values: the optimum is at least it.
    """

    def __init__(self, task: Pendulum, *, angles: int = 361, spins: int = 241, torques: int = 33):
        self.task, self.shape = task, (angles, spins)
        self.torques = jnp.linspace(-TORQUE, TORQUE, torques)
        self.finer = jnp.linspace(-TORQUE, TORQUE, 4 * torques - 3)
        angle = -np.pi + 2 * np.pi * jnp.arange(angles) / angles
        spin = jnp.linspace(-FASTEST, FASTEST, spins)
        self.points = jnp.meshgrid(angle, spin, indexing="ij")
        self.values = jax.jit(self._solve)()

    def _places(self, angle: jax.Array, spin: jax.Array) -> list[jax.Array]:
        """Where angles and spins lie on the grid, in cells; angles go round."""
        angles, spins = self.shape
        row = (angle + np.pi) / (2 * np.pi) * angles
        return [row, (spin + FASTEST) / (2 * FASTEST) * (spins - 1)]

    def _look(self, values: jax.Array, angle: jax.Array, spin: jax.Array) -> jax.Array:
        row, column = self._places(angle, spin)
        padded = jnp.concatenate([values, values[:1]])
        return map_coordinates(padded, [jnp.mod(row, self.shape[0]), column], 1, mode="nearest")

    def _worth(self, values, angle, spin, torque) -> jax.Array:
        """Reward of a torque, and the value where it leads."""
        wrapped = jnp.mod(angle + np.pi, 2 * np.pi) - np.pi
        reward = -(wrapped**2 + 0.1 * spin**2 + 0.001 * torque**2)
        turn = 1.5 * self.task.gravity * jnp.sin(angle) + 3 * torque
        after = jnp.clip(spin + SECONDS * turn, -FASTEST, FASTEST)
        return reward + self._look(values, angle + SECONDS * after, after)

    def _solve(self) -> jax.Array:
        """Values with 0, 1, ... horizon steps to go."""
        angle, spin = self.points

        def back(values: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            def better(best: jax.Array, torque: jax.Array) -> tuple[jax.Array, None]:
                return jnp.maximum(best, self._worth(values, angle, spin, torque)), None

            best = jax.lax.scan(better, jnp.full(self.shape, -jnp.inf), self.torques)[0]
            return best, values

        last, values = jax.lax.scan(back, jnp.zeros(self.shape), None, self.task.horizon)
        return jnp.concatenate([values, last[None]])

    def value(self, state: PendulumState) -> np.ndarray:
        """The estimated optimum of a batch of first states."""
        return np.asarray(self._look(self.values[-1], state.angle, state.spin))

    def play(self, state: PendulumState) -> tuple[jax.Array, jax.Array]:
        """Returns of a batch of episodes, and the cosines of all angles on the way."""
        return jax.jit(self._play)(state, self.values[-2::-1])

    def _play(self, state: PendulumState, values: jax.Array) -> tuple[jax.Array, jax.Array]:
        key = jax.random.key(0)

        def step(state: PendulumState, values: jax.Array):
            worth = jax.vmap(lambda u: self._worth(values, state.angle, state.spin, u))(self.finer)
            action = self.finer[jnp.argmax(worth, 0)][:, None]
            after = jax.vmap(self.task.advance, (0, 0, None))(state, action, key)
            reward = jax.vmap(self.task.objective)(state, action, after)[:, 0]
            return after, (reward, jnp.cos(after.angle))

        reward, height = jax.lax.scan(step, state, values)[1]
        return reward.sum(0), height
