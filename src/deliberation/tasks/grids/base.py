"""What gridworlds have in common, whether steps lead from cell to cell or anywhere."""

import abc
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.objective import Action, Objective
from ..bases import SoloTask, check_horizon, check_sizes
from . import maps as _grid

NAMES = ("step", "goal", "pit", "mud")
"""What a step can bring on every map; weights on features come in this order."""

_LARGEST = 64
_State = TypeVar("_State")


class GridState(eqx.Module):
    """Where one stands, the time, which exit is the goal, the walls, and all that was ever seen."""

    cell: Int[Array, ""]
    time: Int[Array, ""]
    goal: Int[Array, ""]
    walls: Bool[Array, " cells"]
    seen: Bool[Array, " cells"]


class GridTask(SoloTask):
    """A map, a time limit, walls that can be moved, and rewards as weights on features."""

    size: int = eqx.field(static=True, default=5)
    layout: str | None = eqx.field(static=True, default=None)
    slip: float = eqx.field(static=True, default=0.0)
    horizon: int | None = eqx.field(static=True, default=None)
    step_reward: float = eqx.field(static=True, default=-0.02)
    goal_reward: float = eqx.field(static=True, default=1.0)
    pit_reward: float = eqx.field(static=True, default=-1.0)
    mud_reward: float = eqx.field(static=True, default=-0.1)

    @property
    def map(self) -> str:
        """The layout, or the room of this size."""
        return _grid.room(self.size) if self.layout is None else self.layout

    @property
    def limit(self) -> int:
        """After how many actions an episode ends: `horizon`, or 4 for each row and each column."""
        return self.horizon or 4 * sum(_grid.shape(self.map))

    @property
    def rewards(self) -> tuple[float, float, float, float]:
        """What a step, the goal, a pit and mud are usually worth."""
        return (self.step_reward, self.goal_reward, self.pit_reward, self.mud_reward)

    @property
    def features_named(self) -> tuple[str, ...]:
        """The names of `features`, in their order."""
        return NAMES

    @abc.abstractmethod
    def features(self, state: Any, action: Action, after: Any) -> Float[Array, " features"]:
        """What a step brings, each feature 1 or 0."""

    @abc.abstractmethod
    def objective_of(self, weights: Float[Array, " features"]) -> Objective:
        """The objective with these weights, whatever they are."""

    def reweighted(self, **weights: float) -> Any:
        """Another objective: the usual weights but for those named (see `features_named`)."""
        names = self.features_named
        unknown = set(weights) - set(names)
        if unknown:
            raise ValueError(f"Unknown features {sorted(unknown)}; there are {names}.")
        changed = jnp.asarray(self.usual_weights)
        for name, weight in weights.items():
            changed = changed.at[names.index(name)].set(weight)
        return self.objective_of(changed)

    @property
    def usual_weights(self) -> Float[np.ndarray, " features"]:
        """The rewards, and nothing for what has no reward of its own."""
        weights = np.zeros(len(self.features_named), np.float32)
        weights[: len(NAMES)] = self.rewards
        return weights

    def with_walls(
        self, state: _State, *, shut: tuple[int, ...] = (), opened: tuple[int, ...] = ()
    ) -> _State:
        """The same state with walls put up and taken away, by the numbers of their cells."""
        walls = state.walls.at[jnp.array(shut, int)].set(True)  # type: ignore[attr-defined]
        walls = walls.at[jnp.array(opened, int)].set(False)
        return eqx.tree_at(lambda s: s.walls, state, walls)

    @property
    def chances(self) -> tuple[float, float, float]:
        """How probable it is to slip to one side, to go as meant, and to slip to the other."""
        return (self.slip / 2, 1 - self.slip, self.slip / 2)

    def check_knobs(self) -> None:
        """Refuse a map, a slip or a horizon that makes no sense."""
        if self.layout is None and self.size < 3:
            raise ValueError(f"A room has a size of at least 3; got {self.size}.")
        # Distances are kept from each cell to each.
        check_sizes("A gridworld", _LARGEST, size=self.size)
        _grid.check_layout(self.map)
        if not 0 <= self.slip <= 1 or (self.horizon or 1) < 1:
            raise ValueError(
                f"A gridworld has a slip from 0 to 1 and a horizon of at least 1; got "
                f"slip={self.slip}, horizon={self.horizon}."
            )
        check_horizon("A gridworld", self.horizon)


class CellTask(GridTask):
    """A gridworld of cells, of which it is known where an action can lead."""

    view: int | None = eqx.field(static=True, default=None)
    actions: int = eqx.field(static=True, default=4)

    @abc.abstractmethod
    def arrivals(
        self, state: GridState, action: Int[Array, ""]
    ) -> tuple[Int[Array, " ways"], Float[Array, " ways"]]:
        """The cells that an action can lead to, and how probably."""
