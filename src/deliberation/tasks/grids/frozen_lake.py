"""Frozen Lake: cross the ice without falling in, where one often slides to the side.

The maps, actions and chances are those of Gymnasium's FrozenLake-v1 (Towers et al. 2024), and so is
the time limit, which is part of the state here: then the best policy for the time left, and not
only for an endless episode, is exact.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.picture import Picture, around, in_rows
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_horizon, taken
from ..chance import draw

TASKS = {
    "frozen_lake": {
        "summary": "Cross slippery ice to the goal; options size (4, 8), slip, horizon",
        "factory": "FrozenLake",
        "options": {"size": 4, "slip": 0.6666666666666666, "horizon": None},
    },
}

_MAPS = {
    4: "SFFF FHFH FFFH HFFG",
    8: "SFFFFFFF FFFFFFFF FFFHFFFF FFFFFHFF FFFHFFFF FHHFFFHF FHFFHFHF FFFHFFFG",
}
_HORIZONS = {4: 100, 8: 200}
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""Left, down, right, up, as (rows, columns); to either side of an action is the one beside it."""


class LakeState(eqx.Module):
    """The cell, row by row from the top left, and how many actions have been taken."""

    cell: Int[Array, ""]
    time: Int[Array, ""]


class ReachesGoal(SoloObjective):
    """One for arriving at the goal, nothing for all else."""

    goal: int = eqx.field(static=True)

    def reward(
        self, state: LakeState, action: Int[Array, ""], after: LakeState
    ) -> Float[Array, ""]:
        """An episode ends at the goal, so it is reached once at most."""
        return (after.cell == self.goal).astype(jnp.float32)

    @property
    def bounds(self) -> tuple[float, float]:
        """The goal is reached or not."""
        return (0.0, 1.0)


class FrozenLake(SoloTask):
    """Actions 0 to 3 go left, down, right and up; half of `slip` is for sliding to either side.

    `size` is 4 or 8. With `slip` 0 the lake is deterministic. An episode ends in a hole, at the
    goal, or after `horizon` actions (None: 100 on the small lake and 200 on the large one).
    """

    size: int = eqx.field(static=True, default=4)
    slip: float = eqx.field(static=True, default=2 / 3)
    horizon: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.size not in _MAPS or not 0 <= self.slip <= 1:
            raise ValueError(
                f"Frozen Lake has size {' or '.join(map(str, _MAPS))} and a slip from 0 to 1; got "
                f"size={self.size}, slip={self.slip}."
            )
        check_horizon("Frozen Lake", self.horizon)

    def __repr__(self) -> str:
        limit = f"{self.traits.horizon} actions"
        return f"FrozenLake({self.size}x{self.size}, slip={self.slip:.3g}, {limit})"

    @property
    def traits(self) -> Traits:
        """One player, four actions; three outcomes of each where it is slippery."""
        slippery = self.slip > 0
        return Traits(
            players=1,
            actions=4,
            horizon=self.horizon or _HORIZONS[self.size],
            deterministic=not slippery,
            outcomes=3 if slippery else 0,
        )

    @property
    def objective(self) -> Objective:
        """Arriving at the goal is 1."""
        return ReachesGoal(self.size**2 - 1)

    def init(self, key: Key[Array, ""]) -> LakeState:
        """In the top left corner, with all the time left."""
        del key
        return LakeState(jnp.int32(0), jnp.int32(0))

    def advance(self, state: LakeState, action: Int[Array, ""], key: Key[Array, ""]) -> LakeState:
        """Go, or slide to a side; the edge of the lake stops one."""
        slide = draw(key, self._chances()) if self.slip > 0 else 1
        return self._slid(state, action, slide)

    def outcomes(
        self, state: LakeState, action: Int[Array, ""]
    ) -> tuple[LakeState, Float[Array, " outcomes"]]:
        """Sliding to the side before the action in the order of actions, none, the side after."""
        if self.slip == 0:
            return super().outcomes(state, action)
        after = jax.vmap(self._slid, (None, None, 0))(state, action, jnp.arange(3))
        return after, self._chances()

    def _chances(self) -> Float[Array, " outcomes"]:
        return jnp.array([self.slip / 2, 1 - self.slip, self.slip / 2], jnp.float32)

    def _slid(
        self, state: LakeState, action: Int[Array, ""], slide: Int[Array, ""] | int
    ) -> LakeState:
        towards = (action + slide + 3) % 4
        cell = jnp.asarray(_neighbours(self.size))[state.cell, towards]
        return LakeState(cell, state.time + 1)

    def observe(self, state: LakeState) -> Float[Array, "size size 4"]:
        """Where one stands, the holes, the goal, and the fraction of the time that is left."""
        shape = (self.size, self.size)
        here = (jnp.arange(self.size**2) == state.cell).reshape(shape)
        left = jnp.broadcast_to(1 - state.time / self.traits.horizon, shape)
        holes, goal = (jnp.asarray(_marked(self.size, mark)).reshape(shape) for mark in "HG")
        return jnp.stack([here, holes, goal, left], axis=-1).astype(jnp.float32)

    def terminated(self, state: LakeState) -> Bool[Array, ""]:
        """In a hole, at the goal, or out of time."""
        end = jnp.asarray(_marked(self.size, "H") | _marked(self.size, "G"))[state.cell]
        return end | (state.time >= self.traits.horizon)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Where each action goes on dry ground."""
        return ("left", "down", "right", "up")

    def picture(self, state: LakeState) -> Picture:
        """The map: `H` holes, `G` the goal."""
        marks = [c if c in "HG" else "" for c in _MAPS[self.size].replace(" ", "")]
        here = divmod(int(state.cell), self.size)
        return Picture(
            in_rows(marks, self.size), around(here, _STEPS), here,
            note=taken(state.time, self.traits.horizon),
        )  # fmt: skip

    def render(self, state: LakeState) -> str:
        """The map, the cell one stands on in brackets, and the time."""
        cells = [f" {c} " for c in _MAPS[self.size].replace(" ", "")]
        cells[int(state.cell)] = f"[{cells[int(state.cell)][1]}]"
        rows = ["".join(cells[i : i + self.size]) for i in range(0, len(cells), self.size)]
        return "\n".join([*rows, taken(state.time, self.traits.horizon)])


@functools.cache
def _neighbours(size: int) -> Int[np.ndarray, "cells 4"]:
    """The cell that each direction leads to."""
    row, column = np.divmod(np.arange(size**2), size)
    to = [
        np.clip(row + down, 0, size - 1) * size + np.clip(column + right, 0, size - 1)
        for down, right in _STEPS
    ]
    return np.stack(to, 1).astype(np.int32)


@functools.cache
def _marked(size: int, mark: str) -> Bool[np.ndarray, " cells"]:
    return np.array([c == mark for c in _MAPS[size].replace(" ", "")])
