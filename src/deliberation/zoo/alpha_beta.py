"""Alpha-beta: minimax that does not look where it cannot matter, deeper and deeper."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import AlphaBeta
from .made import Made, planner

ZOO = {
    "name": "alpha_beta",
    "title": "Alpha-beta",
    "kind": "direct",
    "items": [15, 35],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}},
    "source": "Knuth and Moore 1975",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    budget = {"smoke": 64}.get(effort, 20_000)
    decider = AlphaBeta(task, budget=budget)
    return planner(decider, budget)
