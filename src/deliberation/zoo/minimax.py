"""Minimax to the end of the game, over every reachable position."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import ExactSolver, solve
from ._entry import Made

ZOO = {
    "name": "minimax",
    "title": "Minimax (solved exactly)",
    "kind": "direct",
    "items": [15],
    "tasks": {"tic_tac_toe": {}},
    "source": "von Neumann 1928",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    del effort
    decider = ExactSolver(task, solve(task))
    return Made(decider, searching=decider)
