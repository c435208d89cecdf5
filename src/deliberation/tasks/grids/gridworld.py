"""Gridworlds: one family of small worlds, one knob for each adjective of richer ones.

Larger (`size` or a map), slippery, seen through a window, with more directions, with other wants
(weights on features), with walls that are moved. Whatever the knobs, the best that can be done is
known: see `Features.optimum` and `direct.dynamic_programming`. The cliff is that of Sutton and
Barto 2018, example 6.6, but for falling, which ends the episode here.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.picture import Picture, around, as_text, in_rows
from ...core.task import Traits
from ..bases import taken
from ..chance import draw, draw_uniform
from . import maps as _grid
from .base import NAMES, CellTask, GridState
from .objective import Features, limits

TASKS = {
    "gridworld": {
        "summary": "Walk round a wall to the exit; options size, layout, slip, view, actions",
        "factory": "Gridworld",
        "options": {"size": 5, "slip": 0.0, "actions": 4},
    },
    "gridworld_slippery": {
        "summary": "The short way leads past a pit, and one may slip",
        "factory": "Gridworld",
        "options": {"layout": "..... ..... ..... S.P.G", "slip": 0.2},
    },
    "gridworld_pits": {
        "summary": "A larger slippery map with pits beside the way; option slip",
        "factory": "Gridworld",
        "options": {
            "layout": "......... ..P...P.. ......... ....P.... ......... ..P...P.. S...P...G",
            "slip": 0.2,
        },
    },
    "gridworld_hidden": {
        "summary": "One of two exits is the goal, a door may be shut: seen from nearby only",
        "factory": "Gridworld",
        "options": {"layout": "G.#.G ..D.. ..S..", "view": 1, "horizon": 12},
    },
    "gridworld_goals": {
        "summary": "One of eight exits is the goal, and it is shown: places composed with goals",
        "factory": "Gridworld",
        "options": {"layout": "G..G..G ....... ....... G..S..G ....... ....... G..G..G"},
    },
    "cliff_walk": {
        "summary": "The short way leads along a cliff (Sutton and Barto); option slip",
        "factory": "Gridworld",
        "options": {
            "layout": "............ ............ ............ SPPPPPPPPPPG",
            "slip": 0.0,
            "step_reward": -1.0,
            "goal_reward": 0.0,
            "pit_reward": -100.0,
            "horizon": 100,
        },
    },
}


class Gridworld(CellTask):
    """Actions 0 to 3 go left, down, right and up; with 8, diagonals lie between them.

    `layout` is a map (rows parted by spaces: `S` start, `G` exit, `#` wall, `D` a wall in half of
    the episodes, `P` pit, `~` mud, `.` free); None is a room of `size` with one wall. Episodes end
    at an exit, in a pit, or after `horizon` actions (None: 4 for each row and each column); one
    exit, drawn evenly at the start, is the goal. `slip` is the probability of going instead in one
    of the directions beside the chosen one. With `view` (1 or more), which exit is the goal and
    which walls stand is seen only within so many cells (through walls too) and remembered by
    `resample`, though not shown again; where one is oneself is always known.

    The rewards are the weights of the usual objective; `reweighted` makes another. Walls are part
    of the state: `with_walls` moves them.
    """

    def __check_init__(self) -> None:
        self.check_knobs()
        if self.actions not in _grid.STEPS or (self.view is not None and self.view < 1):
            raise ValueError(
                f"A gridworld has 4 or 8 actions and a view of at least 1 (or None: all is seen); "
                f"got actions={self.actions}, view={self.view}."
            )

    def __repr__(self) -> str:
        rows, columns = _grid.shape(self.map)
        knobs = {"slip": self.slip or None, "view": self.view, "actions": self.actions}
        told = "".join(f", {k}={v}" for k, v in knobs.items() if v is not None)
        return f"Gridworld({rows}x{columns}{told}, {self.traits.horizon} actions)"

    @property
    def traits(self) -> Traits:
        """One player; three outcomes of each action where one may slip."""
        return Traits(
            players=1,
            actions=self.actions,
            horizon=self.limit,
            deterministic=self.slip == 0,
            fully_observable=self.view is None,
            outcomes=0 if self.slip == 0 else 3,
        )

    @property
    def features_named(self) -> tuple[str, ...]:
        """The names of `features`, in their order."""
        return (*NAMES, *(f"exit_{k}" for k in range(len(_grid.places(self.map, "G")))))

    @property
    def objective(self) -> Features:
        """Each step costs a little, mud more; the goal pays and pits punish."""
        weights = self.usual_weights
        return Features(self, jnp.asarray(weights), limits(weights, self.limit))

    def objective_of(self, weights: Float[Array, " features"]) -> Features:
        """The objective with these weights, whatever they are."""
        return Features(self, weights)

    def features(
        self, state: GridState, action: Int[Array, ""], after: GridState
    ) -> Float[Array, " features"]:
        """What a step brings: itself, the goal, a pit, mud, and each exit in the map's order.

        Each is 1 or 0. The goal is also an exit, and both count.
        """
        del state, action
        exits = after.cell == jnp.asarray(_grid.places(self.map, "G"))
        goal = exits[after.goal]
        pit, mud = (jnp.asarray(_grid.marked(self.map, mark))[after.cell] for mark in "P~")
        return jnp.concatenate([jnp.stack([True, goal, pit, mud]), exits]).astype(jnp.float32)

    def starts(self) -> tuple[GridState, Float[Array, " starts"]]:
        """Every first state, on a leading axis, and how probable each is."""
        every = _grid.starts(self.map)
        count = len(every.cell)
        states = jax.vmap(self._first)(jnp.arange(count))
        return states, jnp.full(count, 1 / count)

    def init(self, key: Key[Array, ""]) -> GridState:
        """At a start, with all the time left; goal, start and doors are drawn evenly."""
        count = len(_grid.starts(self.map).cell)
        if count == 1:
            return self._first(jnp.int32(0))
        (u,) = draw_uniform(key)
        return self._first(jnp.minimum((u * count).astype(jnp.int32), count - 1))

    def _first(self, which: Int[Array, ""]) -> GridState:
        every = _grid.starts(self.map)
        cell, goal, walls = (jnp.asarray(x)[which] for x in (every.cell, every.goal, every.walls))
        return GridState(cell, jnp.int32(0), goal, walls, self.visible(cell))

    def visible(self, cell: Int[Array, ""]) -> Bool[Array, " cells"]:
        """Which cells are seen from a cell."""
        return jnp.asarray(_grid.windows(self.map, self.view))[cell]

    def arrivals(
        self, state: GridState, action: Int[Array, ""]
    ) -> tuple[Int[Array, " ways"], Float[Array, " ways"]]:
        """The cells that an action can lead to, and how probably; walls and edges stop one."""
        aside = jnp.array([0] if self.slip == 0 else [-1, 0, 1])
        chances = jnp.array([1.0] if self.slip == 0 else self.chances)
        ways = (action + aside) % self.actions
        to = jnp.asarray(_grid.neighbours(self.map, self.actions))[state.cell, ways]
        return jnp.where(state.walls[to], state.cell, to), chances

    def _arrive(self, state: GridState, cell: Int[Array, ""]) -> GridState:
        seen = state.seen | self.visible(cell)
        return GridState(cell, state.time + 1, state.goal, state.walls, seen)

    def advance(self, state: GridState, action: Int[Array, ""], key: Key[Array, ""]) -> GridState:
        """Go, or slip to a side."""
        cells, chances = self.arrivals(state, action)
        return self._arrive(state, cells[0 if self.slip == 0 else draw(key, chances)])

    def outcomes(
        self, state: GridState, action: Int[Array, ""]
    ) -> tuple[GridState, Float[Array, " outcomes"]]:
        """Going in the direction before the chosen one, in it, and in the one after it."""
        if self.slip == 0:
            return super().outcomes(state, action)
        cells, chances = self.arrivals(state, action)
        return jax.vmap(self._arrive, (None, 0))(state, cells), chances

    def observe(self, state: GridState) -> Float[Array, "rows columns 8"]:
        """Planes: oneself, walls, exits, the goal, pits, mud, what is in view, and the time left.

        Walls and the goal are shown where they are in view. The time is a fraction of the horizon.
        """
        layout, view = self.map, self.visible(state.cell)
        exits, pits, mud = (jnp.asarray(_grid.marked(layout, mark)) for mark in "GP~")
        here, goal = (
            jnp.arange(len(view)) == cell
            for cell in (state.cell, jnp.asarray(_grid.places(layout, "G"))[state.goal])
        )
        left = jnp.broadcast_to(1 - state.time / self.traits.horizon, view.shape)
        planes = [here, state.walls & view, exits, goal & view, pits, mud, view, left]
        flat = jnp.stack([x.astype(jnp.float32) for x in planes], axis=-1)
        return flat.reshape(*_grid.shape(layout), len(planes))

    def terminated(self, state: GridState) -> Bool[Array, ""]:
        """At an exit, in a pit, or out of time."""
        end = jnp.asarray(_grid.marked(self.map, "GP"))[state.cell]
        return end | (state.time >= self.traits.horizon)

    def resample(self, state: GridState, key: Key[Array, ""]) -> GridState:
        """What was never seen, drawn anew: the goal among exits not seen, doors open or shut.

        Exact: goals and doors are independent and evenly drawn, and one sees what one touches.
        Walls that were moved out of sight are not known of: they are where the map has them.
        """
        if self.view is None:
            return state
        exits, doors = (_grid.places(self.map, mark) for mark in "GD")
        u = draw_uniform(key, 1 + len(doors))
        unseen = ~state.seen[exits]
        known = state.seen[jnp.asarray(exits)[state.goal]] | ~unseen.any()
        order = jnp.cumsum(unseen)
        chosen = jnp.argmax(order > (u[0] * order[-1]).astype(jnp.int32))
        walls = jnp.asarray(_grid.marked(self.map, "#")).at[doors].set(u[1:] < 0.5)
        return GridState(
            state.cell,
            state.time,
            jnp.where(known, state.goal, chosen).astype(jnp.int32),
            jnp.where(state.seen, state.walls, walls),
            state.seen,
        )

    @property
    def action_names(self) -> tuple[str, ...]:
        """Where each action goes, such as left, or down-left."""
        return _grid.STEP_NAMES[self.actions]

    def picture(self, state: GridState) -> Picture:
        """The map as far as it was ever seen: `G` the goal, `g` other exits, `?` what may be."""
        seen, exits = np.asarray(state.seen), _grid.places(self.map, "G")
        found, fixed = bool(seen[exits][int(state.goal)]), _grid.marked(self.map, "#")
        walls = np.where(seen, np.asarray(state.walls), fixed)
        cells = _grid.cells_of(self.map, walls, int(state.goal) if found else -1)
        unknown = ~seen & _grid.marked(self.map, "D" if found else "DG")
        marks = ["?" if u else "" if c == "." else c for c, u in zip(cells, unknown, strict=True)]
        columns = _grid.shape(self.map)[1]
        here = divmod(int(state.cell), columns)
        return Picture(
            in_rows(marks, columns), around(here, _grid.STEPS[self.actions]), here,
            note=taken(state.time, self.traits.horizon),
        )  # fmt: skip

    def render_seen(self, state: GridState) -> str:
        """The map as far as it was ever seen, and the time."""
        return as_text(self.picture(state))

    def render(self, state: GridState) -> str:
        """The map as it is, also out of view: `G` the goal, `g` other exits, brackets oneself."""
        rows = _grid.picture(self.map, np.asarray(state.walls), int(state.goal), int(state.cell))
        return "\n".join([*rows, taken(state.time, self.traits.horizon)])
