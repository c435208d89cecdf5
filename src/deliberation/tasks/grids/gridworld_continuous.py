"""The gridworld with continuous steps: the same maps and wants, walked in any direction."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SoloTask
from ..chance import draw
from . import maps as _grid
from .objective import limits

TASKS = {
    "gridworld_continuous": {
        "summary": "The gridworld with steps of any direction and length; options as there",
        "factory": "ContinuousGridworld",
        "options": {"size": 5, "slip": 0.0},
    },
}

_SIDES = ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0))
"""(cosine, sine) of a quarter turn to the left, none, and one to the right."""


class PointState(eqx.Module):
    """Where one stands, the time, and the walls.

    Places are (row, column) from the top left; a cell's middle is half a unit from its edges.
    """

    place: Float[Array, " 2"]
    time: Int[Array, ""]
    walls: Bool[Array, " cells"]


class Reaches(Objective):
    """The same wants as on the grid: a step, an exit, a pit and mud, each by its weight.

    `weights` (step, goal, pit, mud) are array data: handing over others compiles nothing anew.
    `limits` are bounds on the return where they are known.
    """

    task: "ContinuousGridworld"
    weights: Float[Array, " 4"]
    limits: tuple[float, float] = eqx.field(static=True, default=(-math.inf, math.inf))

    def __call__(
        self, state: PointState, action: Float[Array, " 2"], after: PointState
    ) -> Float[Array, " players"]:
        """Weighted features, for the one player there is."""
        return (self.task.features(state, action, after) @ self.weights)[None]

    @property
    def bounds(self) -> tuple[float, float]:
        """Those given with the weights."""
        return self.limits

    def heuristic(self, state: PointState) -> Float[Array, ""]:
        """The return if nothing were in the way: along the farther axis to the exit, all the way.

        Steps that cost are few, steps that pay go on until the time is up.
        """
        step, goal, pit, mud = self.weights
        step = step + jnp.maximum(mud, 0)
        left = self.task.traits.horizon - state.time
        corner = jnp.array(divmod(*self.task.exit), jnp.float32)
        apart = jnp.maximum(jnp.maximum(corner - state.place, state.place - corner - 1), 0)
        least = jnp.maximum(jnp.ceil(apart.max() - 1e-4), 1)
        straight = jnp.where(
            least <= left, goal + step * jnp.where(step > 0, left, least), -jnp.inf
        )
        fall = pit + step * jnp.where(step > 0, left, 1)
        fall = fall if _grid.marked(self.task.map, "P").any() else -jnp.inf
        best = jnp.maximum(jnp.maximum(straight, fall), step * left)
        return jnp.where(self.task.terminated(state), 0.0, best).astype(jnp.float32)


class ContinuousGridworld(SoloTask):
    """An action is (down, right), each from -1 to 1, in cells: steps lead to neighbours.

    The map is that of `Gridworld` (`size` or `layout`), with one start, one exit and no doors. A
    wall or the edge stops the movement along one axis, rows first, and not along the other: one
    slides along it. `slip` is the probability that the step goes a quarter turn to either side. An
    episode ends in the exit's or a pit's cell, or after `horizon` actions (None: 4 for each row and
    each column). `with_walls` moves walls; the rewards are as for `Gridworld`.
    """

    size: int = eqx.field(static=True, default=5)
    layout: str | None = eqx.field(static=True, default=None)
    slip: float = eqx.field(static=True, default=0.0)
    horizon: int | None = eqx.field(static=True, default=None)
    step_reward: float = eqx.field(static=True, default=-0.02)
    goal_reward: float = eqx.field(static=True, default=1.0)
    pit_reward: float = eqx.field(static=True, default=-1.0)
    mud_reward: float = eqx.field(static=True, default=-0.1)

    def __check_init__(self) -> None:
        if self.layout is None and self.size < 3:
            raise ValueError(f"A room has a size of at least 3; got {self.size}.")
        _grid.check_layout(self.map)
        count = {mark: self.map.count(mark) for mark in "SGD"}
        if count != {"S": 1, "G": 1, "D": 0}:
            raise ValueError(
                f"A continuous gridworld has one start S, one exit G and no doors D; got {count}."
            )
        if not 0 <= self.slip <= 1 or (self.horizon or 1) < 1:
            raise ValueError(
                f"A gridworld has a slip from 0 to 1 and a horizon of at least 1; got "
                f"slip={self.slip}, horizon={self.horizon}."
            )

    def __repr__(self) -> str:
        rows, columns = _grid.shape(self.map)
        slip = f", slip={self.slip}" if self.slip else ""
        return f"ContinuousGridworld({rows}x{columns}{slip}, {self.traits.horizon} actions)"

    @property
    def map(self) -> str:
        """The layout, or the room of this size."""
        return _grid.room(self.size) if self.layout is None else self.layout

    @property
    def exit(self) -> tuple[int, int]:
        """The number of the exit's cell, and how many columns there are."""
        return int(_grid.places(self.map, "G")[0]), _grid.shape(self.map)[1]

    @property
    def traits(self) -> Traits:
        """One player, two numbers an action; chance, where one slips, has three outcomes."""
        return Traits(
            players=1,
            actions=1,
            horizon=self.horizon or 4 * sum(_grid.shape(self.map)),
            deterministic=self.slip == 0,
            discrete=False,
            outcomes=0 if self.slip == 0 else 3,
            shape=(2,),
        )

    @property
    def objective(self) -> Reaches:
        """Each step costs a little, mud more; the exit pays and pits punish."""
        rewards = (self.step_reward, self.goal_reward, self.pit_reward, self.mud_reward)
        bounds = limits(np.array([*rewards, 0.0]), self.traits.horizon)
        return Reaches(self, jnp.array(rewards, jnp.float32), bounds)

    def reweighted(self, **weights: float) -> Reaches:
        """Another objective: the usual weights but for those named (step, goal, pit, mud)."""
        names = ("step", "goal", "pit", "mud")
        unknown = set(weights) - set(names)
        if unknown:
            raise ValueError(f"Unknown features {sorted(unknown)}; there are {names}.")
        changed = self.objective.weights
        for name, weight in weights.items():
            changed = changed.at[names.index(name)].set(weight)
        return Reaches(self, changed)

    def features(
        self, state: PointState, action: Float[Array, " 2"], after: PointState
    ) -> Float[Array, " 4"]:
        """What a step brings, 1 or 0 each: itself, the exit, a pit, mud."""
        del state, action
        cell = self.cell(after.place)
        goal, pit, mud = (jnp.asarray(_grid.marked(self.map, mark))[cell] for mark in "GP~")
        return jnp.stack([True, goal, pit, mud]).astype(jnp.float32)

    def cell(self, place: Float[Array, " 2"]) -> Int[Array, ""]:
        """The number of the cell that a place lies in."""
        rows, columns = _grid.shape(self.map)
        row, column = jnp.minimum(place.astype(jnp.int32), jnp.array([rows - 1, columns - 1]))
        return row * columns + column

    def starts(self) -> tuple[PointState, Float[Array, " starts"]]:
        """There is one."""
        one = self.init(jax.random.key(0))
        return jax.tree.map(lambda x: x[None], one), jnp.ones(1)

    def init(self, key: Key[Array, ""]) -> PointState:
        """In the middle of the start's cell, with all the time left."""
        del key
        start, columns = int(_grid.places(self.map, "S")[0]), _grid.shape(self.map)[1]
        middle = jnp.array(divmod(start, columns), jnp.float32) + 0.5
        return PointState(middle, jnp.int32(0), jnp.asarray(_grid.marked(self.map, "#")))

    def with_walls(
        self, state: PointState, *, shut: tuple[int, ...] = (), opened: tuple[int, ...] = ()
    ) -> PointState:
        """The same state with walls put up and taken away, by the numbers of their cells."""
        walls = state.walls.at[jnp.array(shut, int)].set(True)
        return eqx.tree_at(lambda s: s.walls, state, walls.at[jnp.array(opened, int)].set(False))

    def advance(
        self, state: PointState, action: Float[Array, " 2"], key: Key[Array, ""]
    ) -> PointState:
        """Go, or slip to a side."""
        return self._turned(state, action, draw(key, self._chances()) if self.slip > 0 else 1)

    def outcomes(
        self, state: PointState, action: Float[Array, " 2"]
    ) -> tuple[PointState, Float[Array, " outcomes"]]:
        """The step a quarter turn to one side, as it was meant, and to the other side."""
        if self.slip == 0:
            return super().outcomes(state, action)
        after = jax.vmap(self._turned, (None, None, 0))(state, action, jnp.arange(3))
        return after, self._chances()

    def _chances(self) -> Float[Array, " outcomes"]:
        return jnp.array([self.slip / 2, 1 - self.slip, self.slip / 2], jnp.float32)

    def _turned(
        self, state: PointState, action: Float[Array, " 2"], side: Int[Array, ""] | int
    ) -> PointState:
        cosine, sine = jnp.array(_SIDES)[side]
        down, right = action
        step = jnp.stack([cosine * down - sine * right, sine * down + cosine * right])
        edge = jnp.array(_grid.shape(self.map), jnp.float32)
        place = state.place
        for axis in range(2):
            moved = place.at[axis].set(jnp.clip(place[axis] + step[axis], 0, edge[axis]))
            place = jnp.where(state.walls[self.cell(moved)], place, moved)
        return PointState(place, state.time + 1, state.walls)

    def observe(self, state: PointState) -> Float[Array, " numbers"]:
        """The place (from 0 to 1 along each axis), the fraction of time left, and the walls."""
        left = 1 - state.time / self.traits.horizon
        place = state.place / jnp.array(_grid.shape(self.map))
        return jnp.concatenate([place, left[None], state.walls.astype(jnp.float32)])

    def terminated(self, state: PointState) -> Bool[Array, ""]:
        """In the exit's or a pit's cell, or out of time."""
        end = jnp.asarray(_grid.marked(self.map, "GP"))[self.cell(state.place)]
        return end | (state.time >= self.traits.horizon)

    def render(self, state: PointState) -> str:
        """The map with the cell one is in, the place in numbers, and the time."""
        rows = _grid.picture(self.map, np.asarray(state.walls), 0, int(self.cell(state.place)))
        row, column = (f"{float(x):.2f}" for x in state.place)
        taken = f"{int(state.time)} of {self.traits.horizon} actions taken"
        return "\n".join([*rows, f"row {row}, column {column}", taken])
