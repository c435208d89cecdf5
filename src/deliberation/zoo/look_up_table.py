"""The giant look-up table: an exact solver's answer to every question, written down."""

import jax
from jaxtyping import Array, Key

from ..amortised import random_positions, tabulate
from ..core.task import Task
from ..direct import ExactSolver, solve
from .made import Made, policy_alone

ZOO = {
    "name": "look_up_table",
    "title": "Giant look-up table (of an exact solver's answers)",
    "kind": "amortised",
    "items": [76, 77],
    "tasks": {"tic_tac_toe": {}, "gridworld": {}},
    "source": "Block 1981",
}
POSITIONS = {"smoke": 100, "quick": 10_000, "full": 100_000}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The answers to all states that so many random games meet."""
    first, then = jax.random.split(key)
    states = random_positions(task, POSITIONS[effort], first)
    solution = solve(task)
    policy, spent = tabulate(ExactSolver(task, solution), states, key=then)
    return policy_alone(policy, solution.spent + spent)
