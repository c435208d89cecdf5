"""Minimax as deep as the budget reaches."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import AlphaBeta
from ._entry import Made

ZOO = {
    "name": "alpha_beta",
    "title": "Minimax with alpha-beta pruning",
    "kind": "direct",
    "items": [15],
    "tasks": {"tic_tac_toe": {}, "connect_four": {}},
    "source": "Knuth and Moore 1975",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    decider = AlphaBeta(task, budget={"smoke": 128, "quick": 1024, "full": 8192}[effort])
    return Made(decider, searching=decider, budget=decider.budget)
