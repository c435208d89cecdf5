"""Plan-until-habit: three actions by the model, and the cached values of training beyond them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ..core.task import State, Task
from ..direct import value_iteration
from ..hybrid import PlanUntilHabit, TableHabit
from .a_star import place_of
from .made import Made

ZOO = {
    "name": "plan_until_habit",
    "title": "Plan until habit",
    "kind": "hybrid",
    "items": [21, 37],
    "tasks": {"frozen_lake": {}, "reward_tree": {}},
    "source": "Keramati, Smittenaar, Dolan and Dayan 2016",
}

SWEEPS = {"smoke": 2, "quick": 12}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The habit is what a few sweeps of value iteration leave: short-sighted, unless "full"."""
    del key
    index = place_of(task) or _node
    table = value_iteration(task, sweeps=SWEEPS.get(effort))
    rows, first = np.unique(np.asarray(jax.vmap(index)(table.states)), return_index=True)
    # Of states that differ in the time alone, the one with the most time left was listed first.
    found = np.zeros((rows.max() + 1, task.traits.actions), np.float32)
    found[rows] = np.where(np.isfinite(table.action_values), table.action_values, 0.0)[first]
    habit = TableHabit(values=jnp.asarray(found), index=index)
    depth = min(3, task.traits.horizon)
    decider = PlanUntilHabit(task, habit, depth=depth)
    nothing = TableHabit(values=jnp.zeros_like(habit.values), index=index)
    budget = decider.expansions(depth)
    return Made(
        decider, PlanUntilHabit(task, nothing, depth=depth),
        PlanUntilHabit(task, habit, depth=0), budget, table.spent,
    )  # fmt: skip


def _node(state: State) -> Int[Array, ""]:
    return state.node
