"""Plans: all actions from a start to an exit at once, carried out without looking again."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....core.decider import Decider
from ....core.objective import Objective
from ....core.task import State, batch_size
from ....direct import BestFirst
from ....tasks.grids import Gridworld
from .kind import OutputKind, Outputs, cross_entropy, hot

LAYOUT = "G..D.. S.S.SS SDS#DS SS.#SS .SDS.S SS.SDG"
"""Two exits, five doors; whatever is shut, both exits can be reached."""
LENGTH = 12
"""Room for the longest of the best plans."""
MANY = 100_000
"""Simulations with which A* proves every plan the best."""


class Plan(OutputKind):
    """A shortest way to one exit; the other objective exchanges what the two exits are worth.

    An output is a row of `LENGTH` actions, after the last of which comes the number of actions: an
    end. It is carried out as it is.
    """

    task: Gridworld
    own: Objective
    other: Objective
    direct: Decider
    budget: int = 48

    @property
    def numbers(self) -> int:
        """For each place of the plan a logit an action, and one for its end."""
        return LENGTH * (self.task.actions + 1)

    def inputs(self, count: int, tested: int, key: Key[Array, ""]) -> tuple[State, State]:
        """Starts and doors: a third of all that there are is tested on, the others repeat."""
        states, _ = self.task.starts()
        # Which exit is the goal is worth nothing here.
        different = np.flatnonzero(states.goal == 0)
        order = different[np.asarray(jax.random.permutation(key, len(different)))]
        kept = len(order) // 3
        rows = np.resize(order[kept:], count), order[:kept][:tested]
        return tuple(jax.tree.map(lambda x, r=part: x[r], states) for part in rows)

    def seen(self, states: State) -> Float[Array, "n numbers"]:
        """Where one is and which walls stand, a number a cell each."""
        here = jax.nn.one_hot(states.cell, states.walls.shape[1])
        return jnp.concatenate([here, states.walls.astype(jnp.float32)], axis=1)

    def left_out(self, states: State) -> Bool[np.ndarray, " n"]:
        """Where one starts to the left of the middle."""
        return np.asarray(states.cell % 6 < 3)

    def outputs(self, decision, memory) -> Outputs:
        """The first action, and those that the planner remembers."""
        rest = np.asarray(memory.actions)[:, : LENGTH - 1]
        plan = np.column_stack([np.asarray(decision.action), rest])
        return np.where(plan < 0, self.task.actions, plan)

    def solve(self, states: State, objective: Objective) -> Outputs:
        """By A* with room enough; `worth` of these is the optimum of dynamic programming."""
        n = batch_size(states)
        found = self.direct.decide(
            states, self.direct.begin(n), objective=objective, budget=MANY, key=jax.random.key(0)
        )
        return self.outputs(*found)

    def worth(
        self, states: State, outputs: Outputs, objective: Objective
    ) -> Float[np.ndarray, " n"]:
        """What carrying the plan out earns."""
        return np.asarray(_carried_out(self.task, objective, states, jnp.asarray(outputs)))

    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """The share of places at which the plans differ."""
        return (one != other).mean(1)

    def target(self, outputs: Outputs) -> Float[np.ndarray, "n numbers"]:
        """The action at each place, or the end."""
        return hot(outputs, self.task.actions + 1).reshape(len(outputs), -1)

    def loss(
        self, raw: Float[Array, "batch numbers"], wanted: Float[Array, "batch numbers"]
    ) -> Float[Array, ""]:
        """The cross-entropy, a mean over the places."""
        choices = (-1, LENGTH, self.task.actions + 1)
        return cross_entropy(raw.reshape(choices), wanted.reshape(choices))

    def read(self, raw: Float[np.ndarray, "n numbers"]) -> Outputs:
        """The likeliest action at each place."""
        chosen = np.asarray(raw).reshape(len(raw), LENGTH, -1).argmax(2)
        over = np.maximum.accumulate(chosen == self.task.actions, axis=1)
        return np.where(over, self.task.actions, chosen)


@eqx.filter_jit
def _carried_out(
    task: Gridworld, objective: Objective, states: State, plans: Int[Array, "n length"]
) -> Float[Array, " n"]:
    def one(state: State, plan: Int[Array, " length"]) -> Float[Array, ""]:
        def step(state: State, action: Int[Array, ""]) -> tuple[State, Float[Array, ""]]:
            goes_on = ~task.terminated(state) & (action < task.actions)
            after = task.advance(state, action, jax.random.key(0))
            reward = objective(state, action, after)[0]
            kept = jax.tree.map(lambda a, b: jnp.where(goes_on, a, b), after, state)
            return kept, jnp.where(goes_on, reward, 0.0)

        return jax.lax.scan(step, state, plan)[1].sum()

    return jax.vmap(one)(states, plans)


def _place(state: State) -> Int[Array, ""]:
    return state.cell


def make() -> Plan:
    """One exit is worth 1 and the other costs 1; what the task calls the goal is worth nothing."""
    task = Gridworld(layout=LAYOUT)
    own, other = (task.reweighted(goal=0.0, exit_0=x, exit_1=-x) for x in (1.0, -1.0))
    return Plan(task, own, other, BestFirst(task, merge=_place))
