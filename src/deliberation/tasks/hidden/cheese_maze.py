"""The cheese maze: places that look alike, told apart only by how one came there.

The maze is that of McCallum (1996); observations (the walls around), and rewards are those of
Veness et al. (2011, section 7). Having found the cheese the mouse is put into a free cell drawn at
random and goes on, until the time is up:

     9 10  8 10 12
     5     5     5
     7     *     7
"""

import functools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SensingTask, TimedObjective, TimedTask, taken
from ..chance import draw, draw_outcome, draw_uniform

TASKS = {
    "cheese_maze": {
        "summary": "Find the cheese in a maze of cells that look alike; option horizon",
        "factory": "CheeseMaze",
        "options": {"horizon": 20},
    },
}

_MAP = ("#######", "#.....#", "#.#.#.#", "#.#C#.#", "#######")
_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Up, down, left, right, as (rows, columns)."""
_WALL_BITS = (8, 2, 1, 4)
"""What a wall there adds to the number seen."""
_START, _MOVED, _BUMPED, _FOUND = range(4)
_REWARDS = (0, -1, -10, 10)


class MazeState(eqx.Module):
    """The cell, and what the mouse knows.

    Cells are numbered row by row, the cheese being in cell 9, where one never stays. `belief` is
    the exact posterior over cells by all that was seen and earned; `gain` is the kind of the last
    reward.
    """

    cell: Int[Array, ""]
    belief: Float[Array, " cells"]
    gain: Int[Array, ""]
    time: Int[Array, ""]


class FindsCheese(TimedObjective):
    """10 for the cheese, -1 for a step into a free cell, -10 for bumping into a wall."""

    gains: ClassVar[tuple[float, float]] = (-10.0, 10.0)

    def reward(
        self, state: MazeState, action: Int[Array, ""], after: MazeState
    ) -> Float[Array, ""]:
        """By the kind of the step."""
        del after
        return jnp.asarray(_REWARDS, jnp.float32)[_kind(state.cell, action)]


class CheeseMaze(TimedTask, SensingTask):
    """Actions 0 to 3 go up, down, left and right. An episode has `horizon` steps."""

    senses: ClassVar[int] = 16
    gains: ClassVar[tuple[int, int]] = (-10, 10)
    horizon: int = eqx.field(static=True, default=20)

    def __repr__(self) -> str:
        return f"CheeseMaze(horizon={self.horizon})"

    @property
    def traits(self) -> Traits:
        """One player who sees the walls around; chance is where the mouse is put."""
        return Traits(
            1, 4, self.horizon, deterministic=False, fully_observable=False, outcomes=_free().size
        )

    @property
    def objective(self) -> Objective:
        """The cheese, soon, and no bruises."""
        return FindsCheese(self.horizon)

    def init(self, key: Key[Array, ""]) -> MazeState:
        """In any cell but the one with the cheese."""
        (u,) = draw_uniform(key)
        free = jnp.asarray(_free())
        return self._start(free[(u * free.size).astype(jnp.int32)])

    def starts(self) -> tuple[MazeState, Float[Array, " starts"]]:
        """In each of those cells."""
        free = jnp.asarray(_free())
        return jax.vmap(self._start)(free), jnp.full(free.size, 1 / free.size)

    def _start(self, cell: Int[Array, ""]) -> MazeState:
        return MazeState(cell, _settle(_anywhere(), cell), jnp.int32(_START), jnp.int32(0))

    def advance(self, state: MazeState, action: Int[Array, ""], key: Key[Array, ""]) -> MazeState:
        """Step, bump, or find the cheese and be put elsewhere."""
        return draw_outcome(self, state, action, key)

    def outcomes(
        self, state: MazeState, action: Int[Array, ""]
    ) -> tuple[MazeState, Float[Array, " outcomes"]]:
        """One, or after the cheese every free cell."""
        free, kind = jnp.asarray(_free()), _kind(state.cell, action)
        found = kind == _FOUND
        cells = jnp.where(found, free, jnp.asarray(_maze()[0])[state.cell, action])
        alone = jnp.arange(free.size) == 0
        before = jnp.where(found, _anywhere(), _moved(state.belief, action, kind))

        def put(cell: Int[Array, ""]) -> MazeState:
            return MazeState(cell, _settle(before, cell), kind, state.time + 1)

        after = jax.vmap(put)(cells)
        return after, jnp.where(found, 1 / free.size, alone).astype(jnp.float32)

    def observe(self, state: MazeState) -> Float[Array, " 10"]:
        """One-hot: the walls (5, 7, 8, 9, 10, 12) and the last reward; the time that is left."""
        walls = self.sense(state) == jnp.asarray(_looks())
        earned = state.gain == jnp.arange(1, 4)
        left = 1 - state.time / self.horizon
        return jnp.concatenate([walls, earned, left[None]]).astype(jnp.float32)

    def sense(self, state: MazeState) -> Int[Array, ""]:
        """The walls around as four bits: up 8, right 4, down 2, left 1."""
        return jnp.asarray(_maze()[1])[state.cell]

    def terminated(self, state: MazeState) -> Array:
        """Out of time."""
        return state.time >= self.horizon

    def beliefs(self, state: MazeState) -> tuple[MazeState, Float[Array, " cells"]]:
        """The state with the mouse in each cell, and how probable that is to it."""
        cells = jnp.arange(state.belief.size, dtype=jnp.int32)
        listed = jax.tree.map(lambda x: jnp.broadcast_to(x, (cells.size, *x.shape)), state)
        return eqx.tree_at(lambda s: s.cell, listed, cells), state.belief

    def resample(self, state: MazeState, key: Key[Array, ""]) -> MazeState:
        """The mouse in a cell drawn from what it knows."""
        return eqx.tree_at(lambda s: s.cell, state, draw(key, state.belief))

    @property
    def action_names(self) -> tuple[str, ...]:
        """Where the mouse goes."""
        return ("up", "down", "left", "right")

    def render_seen(self, state: MazeState) -> str:
        """The walls around the mouse and the last reward, all that it senses, and the time."""
        walls = int(self.sense(state))
        sides = [s for bit, s in ((8, "up"), (4, "right"), (2, "down"), (1, "left")) if walls & bit]
        told = f"walls: {', '.join(sides) or 'none'}"
        return f"{told}\n{taken(state.time, self.horizon)}"

    def table_seen(self, state: MazeState) -> tuple[tuple[str, str], ...]:
        """The walls around the mouse, and the time."""
        walls, time = self.render_seen(state).removeprefix("walls: ").split("\n")
        return (("walls around you", walls), ("time", time))

    def render(self, state: MazeState) -> str:
        """The maze, the mouse as M, and the time."""
        grid, (row, column) = [list(line) for line in _MAP], _cells()[int(state.cell)]
        grid[row][column] = "M"
        lines = ["".join(line).replace("#", "█").replace(".", " ") for line in grid]
        return "\n".join([*lines, taken(state.time, self.horizon)])


def _kind(cell: Int[Array, "..."], action: Int[Array, ""]) -> Int[Array, "..."]:
    """What kind of reward a step from a cell earns."""
    to = jnp.asarray(_maze()[0])[cell, action]
    found = to == _cheese()
    return jnp.where(found, _FOUND, jnp.where(to == cell, _BUMPED, _MOVED)).astype(jnp.int32)


def _moved(
    belief: Float[Array, " cells"], action: Int[Array, ""], kind: Int[Array, ""]
) -> Float[Array, " cells"]:
    """The belief after a step of a known kind, before looking round; not normalised."""
    cells = jnp.arange(belief.size)
    kept = belief * (_kind(cells, action) == kind)
    to = jnp.asarray(_maze()[0])[cells, action]
    return (kept[:, None] * (to[:, None] == cells)).sum(0)


def _settle(belief: Float[Array, " cells"], cell: Int[Array, ""]) -> Float[Array, " cells"]:
    """The belief once the walls around the mouse are seen."""
    walls = jnp.asarray(_maze()[1])
    seen = belief * (walls == walls[cell])
    total = seen.sum()
    # Only outcomes of probability 0 contradict the belief: any distribution will do for them.
    return jnp.where(total > 0, seen / jnp.where(total > 0, total, 1), _anywhere())


def _anywhere() -> Float[Array, " cells"]:
    count = len(_cells())
    return jnp.where(jnp.arange(count) == _cheese(), 0.0, 1 / (count - 1)).astype(jnp.float32)


@functools.cache
def _cells() -> list[tuple[int, int]]:
    return [(r, c) for r, line in enumerate(_MAP) for c, what in enumerate(line) if what != "#"]


@functools.cache
def _cheese() -> int:
    return next(i for i, (r, c) in enumerate(_cells()) if _MAP[r][c] == "C")


@functools.cache
def _free() -> Int[np.ndarray, " free"]:
    return np.delete(np.arange(len(_cells()), dtype=np.int32), _cheese())


@functools.cache
def _maze() -> tuple[Int[np.ndarray, "cells 4"], Int[np.ndarray, " cells"]]:
    """Where each step leads (nowhere: the same cell), and the number of each cell's walls."""
    number = {place: i for i, place in enumerate(_cells())}
    to = [
        [number.get((r + down, c + right), i) for down, right in _STEPS]
        for i, (r, c) in enumerate(_cells())
    ]
    walls = [
        sum(b for b, t in zip(_WALL_BITS, ts, strict=True) if t == i) for i, ts in enumerate(to)
    ]
    return np.array(to, np.int32), np.array(walls, np.int32)


@functools.cache
def _looks() -> Int[np.ndarray, " looks"]:
    """The numbers of walls that the mouse can see."""
    return np.unique(_maze()[1][_free()])
