"""Minimax to the end of the game, over every reachable position."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import ExactSolver, solve
from .made import Made

ZOO = {
    "name": "minimax",
    "title": "Minimax (solved exactly)",
    "kind": "direct",
    "items": [15],
    "tasks": {"tic_tac_toe": {}},
    "source": "von Neumann 1928",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned; what solving the game beforehand cost stands where training does."""
    del key
    del effort
    solution = solve(task)
    decider = ExactSolver(task, solution)
    return Made(decider, searching=decider, trained=solution.spent)
