"""The gridworld with continuous steps: the same maps and rewards, steps in any direction."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.task import Traits
from ..bases import taken
from ..chance import draw
from . import maps as _grid
from .base import GridTask
from .objective import Weighted, limits

TASKS = {
    "gridworld_continuous": {
        "summary": "The gridworld with steps of any direction and length; options as there",
        "factory": "ContinuousGridworld",
        "continuous": True,
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


class Reaches(Weighted):
    """Weights on the features of a `ContinuousGridworld`: step, goal, pit and mud."""

    task: "ContinuousGridworld"
    weights: Float[Array, " 4"]
    limits: tuple[float, float] = eqx.field(static=True, default=(-math.inf, math.inf))

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


class ContinuousGridworld(GridTask):
    """An action is (down, right), each from -1 to 1, in cells: steps lead to neighbours.

    The map is that of `Gridworld` (`size` or `layout`), with one start, one exit and no doors. A
    wall or the edge stops the movement along one axis, rows first, and not along the other: one
    slides along it. `slip` is the probability that the step goes a quarter turn to either side. An
    episode ends in the exit's or a pit's cell, or after `horizon` actions (None: 4 for each row and
    each column). `with_walls` moves walls; the rewards are as for `Gridworld`.
    """

    def __check_init__(self) -> None:
        self.check_knobs()
        count = {mark: self.map.count(mark) for mark in "SGD"}
        if count != {"S": 1, "G": 1, "D": 0}:
            raise ValueError(
                f"A continuous gridworld has one start S, one exit G and no doors D; got {count}."
            )

    def __repr__(self) -> str:
        rows, columns = _grid.shape(self.map)
        slip = f", slip={self.slip}" if self.slip else ""
        return f"ContinuousGridworld({rows}x{columns}{slip}, {self.traits.horizon} actions)"

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
            horizon=self.limit,
            deterministic=self.slip == 0,
            discrete=False,
            outcomes=0 if self.slip == 0 else 3,
            shape=(2,),
        )

    @property
    def objective(self) -> Reaches:
        """Each step costs a little, mud more; the exit pays and pits punish."""
        weights = self.usual_weights
        return Reaches(self, jnp.asarray(weights), limits(np.append(weights, 0), self.limit))

    def objective_of(self, weights: Float[Array, " features"]) -> Reaches:
        """The objective with these weights, whatever they are."""
        return Reaches(self, weights)

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

    def advance(
        self, state: PointState, action: Float[Array, " 2"], key: Key[Array, ""]
    ) -> PointState:
        """Go, or slip to a side."""
        return self._turned(
            state, action, draw(key, jnp.array(self.chances, jnp.float32)) if self.slip > 0 else 1
        )

    def outcomes(
        self, state: PointState, action: Float[Array, " 2"]
    ) -> tuple[PointState, Float[Array, " outcomes"]]:
        """The step a quarter turn to one side, as it was meant, and to the other side."""
        if self.slip == 0:
            return super().outcomes(state, action)
        after = jax.vmap(self._turned, (None, None, 0))(state, action, jnp.arange(3))
        return after, jnp.array(self.chances, jnp.float32)

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

    def fewest_steps(self) -> int | None:
        """How few steps lead from the start to the exit; None where one slips, or beyond the limit.

        Exact: the places that can be reached in so many steps are boxes, of which those of the
        next step follow, cell by cell; walls stop a step along one axis, rows first.
        """
        if self.slip:
            return None
        rows, columns = _grid.shape(self.map)
        start, goal = (int(_grid.places(self.map, mark)[0]) for mark in "SG")
        row, column = (x + 0.5 for x in divmod(start, columns))
        boxes: set[Box] = {((row, row), (column, column))}
        shut, over = (_grid.marked(self.map, marks).reshape(rows, columns) for marks in ("#", "GP"))
        for count in range(1, self.limit + 1):
            boxes = {after for box in boxes for after in _spread(box, shut)}
            if any(_cell_of(box) == divmod(goal, columns) for box in boxes):
                return count
            boxes = _largest({box for box in boxes if not over[_cell_of(box)]})
        return None

    def render(self, state: PointState) -> str:
        """The map with the cell one is in, the place in numbers, and the time."""
        rows = _grid.picture(self.map, np.asarray(state.walls), 0, int(self.cell(state.place)))
        row, column = (f"{float(x):.2f}" for x in state.place)
        time = taken(state.time, self.traits.horizon)
        return "\n".join([*rows, f"row {row}, column {column}", time])


Box = tuple[tuple[float, float], tuple[float, float]]
"""The least and the greatest row and column, within one cell."""
_INSIDE = 1e-6
"""A cell ends this much before the next one begins."""


def _cell_of(box: Box) -> tuple[int, int]:
    (row, _), (column, _) = box
    return int(row), int(column)


def _spread(box: Box, shut: Bool[np.ndarray, "rows columns"]) -> list[Box]:
    """The boxes that one step leads to: along the rows, then from each of these along the columns.

    A step that would end in a wall is no step along that axis.
    """
    found = [box]
    for axis in range(2):
        found = [after for one in found for after in _along(one, axis, shut)]
    return found


def _along(box: Box, axis: int, shut: Bool[np.ndarray, "rows columns"]) -> list[Box]:
    low, high = box[axis][0] - 1, box[axis][1] + 1
    cell, found = list(_cell_of(box)), [box]
    for place in range(max(int(np.floor(low)), 0), min(int(high), shut.shape[axis] - 1) + 1):
        cell[axis] = place
        if not shut[tuple(cell)]:
            ends = (max(low, float(place)), min(high, place + 1 - _INSIDE))
            found.append((ends, box[1]) if axis == 0 else (box[0], ends))
    return found


def _largest(boxes: set[Box]) -> set[Box]:
    """Without those that lie in another one."""

    def within(one: Box, other: Box) -> bool:
        return all(b[0] <= a[0] and a[1] <= b[1] for a, b in zip(one, other, strict=True))

    return {x for x in boxes if not any(x != y and within(x, y) for y in boxes)}
