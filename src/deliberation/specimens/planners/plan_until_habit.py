"""Two moves of planning by what it is told, then values that were settled beforehand."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...hybrid import PlanUntilHabit, TableHabit
from ...tasks.arrays import ArrayState

SPECIMEN = {
    "name": "plan_until_habit",
    "title": "plan until habit, two moves",
    "kind": "hybrid",
    "answers": {"revaluation": "responds", "extraction": "responds"},
    "why": "It follows rewards that change up to two moves ahead, and its habit beyond: too short "
    "for most announcements to be served.",
}


def at(state: ArrayState) -> Int[Array, ""]:
    """Which row of the habit's table a state has."""
    return state.at


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The habit is perfect under the task's own rewards."""
    del key
    rows = np.asarray(exam.reached.states.at)
    values = np.zeros((rows.max() + 1, exam.values.shape[1]), np.float32)
    values[rows] = np.nan_to_num(exam.values)
    return PlanUntilHabit(exam.task, TableHabit(values=jnp.asarray(values), index=at), depth=2)
