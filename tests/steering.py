"""A planted continuous task with its optimum: steer a point to the origin at quadratic cost."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from deliberation.core import Objective, Task, Traits


class Place(eqx.Module):
    x: Float[Array, " *shape"]
    time: Int[Array, ""]


class Quadratic(Objective):
    """Minus the squared distance arrived at, minus `effort` times the squared action."""

    effort: float = 0.5

    def __call__(self, state, action, after):
        return -jnp.stack([(after.x**2).sum() + self.effort * (action**2).sum()])


class Steering(Task):
    """x becomes x + a, a from -1 to 1 in each of `shape`; `steps` times."""

    shape: tuple[int, ...] = eqx.field(static=True, default=())
    steps: int = eqx.field(static=True, default=2)
    effort: float = 0.5

    @property
    def traits(self):
        return Traits(1, 1, self.steps, discrete=False, shape=self.shape)

    @property
    def objective(self):
        return Quadratic(self.effort)

    def init(self, key):
        x = jax.random.uniform(key, self.shape, minval=-1.0, maxval=1.0)
        return Place(x, jnp.int32(0))

    def advance(self, state, action, key):
        return Place(state.x + action, state.time + 1)

    def observe(self, state):
        return jnp.append(state.x.ravel(), state.time.astype(jnp.float32))

    def legal(self, state):
        return ~self.terminated(state)[None]

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state.time >= self.steps


def curvatures(task):
    """p with optimal value -p[t] |x|^2 at time t, by the Riccati recursion.

    p = effort (1 + p') / (1 + p' + effort) with p' one step later, 0 at the end. From |x| <= 1 the
    bounds of the action never bind.
    """
    p = np.zeros(task.steps + 1)
    for t in reversed(range(task.steps)):
        p[t] = task.effort * (1 + p[t + 1]) / (1 + p[t + 1] + task.effort)
    return p


def best_action(task, x, time=0):
    p = curvatures(task)[time + 1]
    return -(1 + p) / (1 + p + task.effort) * x


def regret(task, x, action, time=0):
    """What this action loses, the best being done afterwards."""
    p = curvatures(task)[time + 1]
    off = np.asarray(action) - best_action(task, np.asarray(x), time)
    return ((1 + p + task.effort) * off**2).reshape(len(off), -1).sum(-1)
