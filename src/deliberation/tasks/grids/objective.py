"""Objectives on grids: weights on features of a step, as data, so that they can be changed."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...core.objective import Action, Objective
from . import maps as _grid
from .base import NAMES, CellTask, GridState, GridTask


class Weighted(Objective):
    """The sum of what a step brings (`task.features`), each feature by its weight.

    `weights` are array data: handing over others compiles nothing anew. `limits` are bounds on
    the return where they are known (they are part of the compiled program).
    """

    task: eqx.AbstractVar[GridTask]
    weights: eqx.AbstractVar[Float[Array, " features"]]
    limits: eqx.AbstractVar[tuple[float, float]]

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """Weighted features, for the one player there is."""
        return (self.task.features(state, action, after) @ self.weights)[None]

    @property
    def bounds(self) -> tuple[float, float]:
        """Those given with the weights."""
        return self.limits


class Features(Weighted):
    """Weights on the features of a `Gridworld`: step, goal, pit, mud, and each exit."""

    task: CellTask
    weights: Float[Array, " features"]
    limits: tuple[float, float] = eqx.field(static=True, default=(-math.inf, math.inf))

    def heuristic(self, state: GridState) -> Float[Array, ""]:
        """The return if no wall and no slip were in the way: never less than can be got.

        Steps that cost are few (straight to an exit), steps that pay go on until the time is up.
        An exit that was not seen is as good as the goal.
        """
        task, w = self.task, self.weights
        exits = _grid.places(task.map, "G")
        seen, this = state.seen[exits], jnp.arange(len(exits)) == state.goal
        bonus = jnp.where((seen & this).any(), this * w[1], ~seen * jnp.maximum(w[1], 0))
        worth = w[len(NAMES) :] + bonus
        far = jnp.asarray(_grid.steps_between(task.map, task.actions))[state.cell, exits]
        left = task.traits.horizon - state.time
        step = w[0] + jnp.maximum(w[3], 0)

        def with_steps(least: Array) -> Array:
            return step * jnp.where(step > 0, left, least)

        ways = jnp.where(far <= left, worth + with_steps(far), -jnp.inf)
        pit = w[2] + with_steps(jnp.int32(1)) if _grid.marked(task.map, "P").any() else -jnp.inf
        best = jnp.maximum(jnp.maximum(jnp.max(ways), pit), step * left)
        return jnp.where(task.terminated(state), 0.0, best).astype(jnp.float32)

    def optimum(self, state: GridState) -> Float[Array, ""]:
        """The best expected return, by backward induction over cells; NaN where not all is seen.

        Goal and walls stay as they are, so that only the cell and the time change (Bellman 1957).
        """
        task = self.task
        if task.view is not None:
            return jnp.float32(jnp.nan)

        def at(cell: Array) -> GridState:
            return eqx.tree_at(lambda s: s.cell, state, cell)

        def act(cell: Array, action: Array) -> tuple[Array, Array, Array]:
            to, chances = task.arrivals(at(cell), action)
            gains = jax.vmap(lambda x: self(at(cell), action, at(x))[0])(to)
            return to, chances, gains

        cells = jnp.arange(state.walls.size, dtype=jnp.int32)
        ways = jnp.arange(task.actions, dtype=jnp.int32)
        to, chances, gains = jax.vmap(jax.vmap(act, (None, 0)), (0, None))(cells, ways)
        over = jnp.asarray(_grid.marked(task.map, "GP"))

        def back(_: Array, values: Array) -> Array:
            best = (chances * (gains + values[to])).sum(-1).max(-1)
            return jnp.where(over, 0.0, best)

        left = task.traits.horizon - state.time
        return jax.lax.fori_loop(0, left, back, jnp.zeros(cells.shape))[state.cell]


def limits(weights: np.ndarray, horizon: int) -> tuple[float, float]:
    """Least and greatest return from any state on, by weights in the order of `NAMES` and exits."""
    step, goal, pit, mud, *exits = (float(x) for x in weights)
    ends = [pit, *exits, *(goal + x for x in exits)]
    low, high = step + min(mud, 0.0), step + max(mud, 0.0)
    least = low * (horizon if low < 0 else 1) + min(0.0, *ends)
    most = high * (horizon if high > 0 else 1) + max(0.0, *ends)
    return min(0.0, least), max(0.0, most)
