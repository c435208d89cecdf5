"""Alpha-beta that does not look where a learned value says it would not pay."""

from jaxtyping import Array, Key

from ..amortised import Network
from ..core.task import Task
from ..direct import AlphaBeta
from ..hybrid import value_pruned
from ._taught import helped
from .made import Made

ZOO = {
    "name": "value_pruning",
    "title": "Alpha-beta pruned by a learned value",
    "kind": "hybrid",
    "items": [39],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}},
    "source": "after Buro 1995 (ProbCut)",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The value imitates exact answers; actions that it puts half a game lower are pruned."""
    budget = {"smoke": 16}.get(effort, 64)
    alone = AlphaBeta(task, budget=budget)

    def pruned(network: Network) -> AlphaBeta:
        return value_pruned(task, network, margin=0.5, budget=budget)

    return helped(alone, pruned, budget, task, effort, key)
