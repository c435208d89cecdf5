"""Worlds of which it is known beforehand whether one should plan in them, learn, both, or neither.

Each is small; what makes its answer is said where it is listed, in `WORLDS`.
"""

from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from deliberation.core import Objective, Traits
from deliberation.tasks.bases import SoloObjective, SoloTask

HERE = "advised_worlds"


class WalkState(eqx.Module):
    """The cell, the steps taken, and what a slow simulator worked out meanwhile."""

    cell: Int[Array, ""]
    time: Int[Array, ""]
    noise: Float[Array, ""]


class Arrives(SoloObjective):
    """1 for reaching the last cell, less 0.02 a step."""

    last: int = eqx.field(static=True)

    def reward(self, state: WalkState, action: Int[Array, ""], after: WalkState) -> Array:
        """Of one step."""
        return (after.cell == self.last).astype(jnp.float32) - 0.02


class Walk(SoloTask):
    """Cells in a row with a door at one end: one of the three actions goes on, which one depends on
    the cell, the others go back. With `slip`, an action is exchanged for another at random, and the
    chance is not listed. `work` is how much a simulator computes for each step.
    """

    cells: int = 8
    slip: float = 0.0
    work: int = 0

    @property
    def traits(self) -> Traits:
        """One player; chance is sampled."""
        return Traits(players=1, actions=3, horizon=3 * self.cells, deterministic=self.slip == 0)

    @property
    def objective(self) -> Objective:
        """To arrive soon."""
        return Arrives(self.cells - 1)

    def init(self, key: Key[Array, ""]) -> WalkState:
        """Somewhere in the first half."""
        cell = jax.random.randint(key, (), 0, self.cells // 2)
        return WalkState(cell, jnp.int32(0), jnp.float32(0))

    def advance(self, state: WalkState, action: Int[Array, ""], key: Key[Array, ""]) -> WalkState:
        """One cell on or back, after so much work."""
        slips, other = jax.random.split(key)
        drawn = jax.random.randint(other, (), 0, 3)
        action = jnp.where(jax.random.uniform(slips) < self.slip, drawn, action)
        way = jnp.where(action == (7 * state.cell + 2) % 3, 1, -1)
        noise = jax.lax.fori_loop(
            0, self.work, lambda i, x: jnp.sin(x + i), state.cell.astype(jnp.float32)
        )
        # The work has to be done, and must change nothing: states are told apart by their bits.
        idle = jnp.where(jnp.isnan(noise), 1, 0)
        cell = jnp.clip(state.cell + way + idle, 0, self.cells - 1)
        return WalkState(cell, state.time + 1, jnp.float32(0))

    def observe(self, state: WalkState) -> Float[Array, " cells"]:
        """Where one is, one-hot."""
        return (jnp.arange(self.cells) == state.cell).astype(jnp.float32)

    def terminated(self, state: WalkState) -> Bool[Array, ""]:
        """At the door, or out of time."""
        return (state.cell == self.cells - 1) | (state.time >= self.traits.horizon)


class ArmsState(eqx.Module):
    """What each arm offers now, and the steps taken."""

    offers: Float[Array, " arms"]
    time: Int[Array, ""]


class Takes(SoloObjective):
    """What was offered by the arm taken, or a coin's toss that no arm has a say in."""

    toss: bool = eqx.field(static=True)

    def reward(self, state: ArmsState, action: Int[Array, ""], after: ArmsState) -> Array:
        """Of one step."""
        return after.offers[0] if self.toss else state.offers[action]


class Arms(SoloTask):
    """Arms with new offers at every step, whatever was taken: the offers are seen, and the largest
    is best. Or, with `toss`, the reward is drawn after the choice, and is the same for all arms.
    """

    toss: bool = False

    @property
    def traits(self) -> Traits:
        """Four arms and eight steps; offers are drawn, and not listed."""
        return Traits(players=1, actions=4, horizon=8, deterministic=False)

    @property
    def objective(self) -> Objective:
        """The reward."""
        return Takes(self.toss)

    def init(self, key: Key[Array, ""]) -> ArmsState:
        """First offers."""
        return ArmsState(jax.random.uniform(key, (4,)), jnp.int32(0))

    def advance(self, state: ArmsState, action: Int[Array, ""], key: Key[Array, ""]) -> ArmsState:
        """Other offers."""
        del action
        return ArmsState(jax.random.uniform(key, (4,)), state.time + 1)

    def observe(self, state: ArmsState) -> Float[Array, " arms"]:
        """The offers."""
        return state.offers

    def terminated(self, state: ArmsState) -> Bool[Array, ""]:
        """After eight steps."""
        return state.time >= 8


@dataclass(frozen=True)
class World:
    """A task with limits, the right answer, and why it is right."""

    name: str
    task: str
    answer: str
    why: str
    limits: dict[str, Any] = field(default_factory=dict)


FEW = {"decisions_a_day": 100, "days": 1}
MANY = {"decisions_a_day": 1e7, "days": 365}
WORLDS = (
    World("maze, once", f"{HERE}:Walk", "plan",
          "without chance and small: a search finds the way; nobody trains for 100 decisions", FEW),
    World("tic-tac-toe, once", "tic_tac_toe", "plan",
          "5478 positions: solved in seconds, or searched", FEW),
    World("grid, once", "gridworld(size=4)", "plan",
          "16 cells and a goal: a few hundred simulations find it, or all states are listed", FEW),
    World("hidden tiger, once", "tiger(horizon=6)", "plan",
          "listening pays, which a policy without memory cannot see", FEW),
    World("slow simulator, fast answers", f"{HERE}:Walk(slip=0.2, work=40000)", "learn",
          "one step takes a good part of a millisecond, and an answer may take no more than three",
          {**MANY, "latency": "3ms"}),
    World("slippery walk, long-lived", f"{HERE}:Walk(slip=0.2, work=2000)", "learn",
          "a table does as well as any search, at a fraction of the cost of each of 4e9 decisions",
          MANY),
    World("connect 3, in time", "connect_3_4x4", "both",
          "the network alone errs, and in the time allowed so does search alone",
          {**MANY, "latency": "6ms"}),
    World("connect 4 on 5 x 4, in time", "connect_four(width=5, height=4)", "both",
          "the network alone errs, and in the time allowed so does search alone",
          {**MANY, "latency": "6ms"}),
    World("coins, whatever is chosen", f"{HERE}:Arms(toss=True)", "neither",
          "no choice has any effect", MANY),
    World("the largest offer", f"{HERE}:Arms", "neither",
          "what pays most at once is best, and is seen by looking one step ahead",
          {"decisions_a_day": 1e4, "days": 30}),
)  # fmt: skip
