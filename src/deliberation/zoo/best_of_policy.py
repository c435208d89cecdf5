"""Best of n answers of a learned policy, each judged by the learned value of where it leads."""

from jaxtyping import Array, Key

from ..amortised import Network
from ..core.task import Task
from ..direct import BestOfN
from ..hybrid import best_of_policy
from ._taught import helped
from .made import Made

ZOO = {
    "name": "best_of_policy",
    "title": "Best of n answers of a policy",
    "kind": "hybrid",
    "items": [21],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}},
    "source": "Gao, Schulman and Hilton 2022",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The policy imitates exact answers; without it, draws are even and what lies beyond is 0."""
    budget = {"smoke": 4}.get(effort, 16)
    alone = BestOfN(task, budget=budget, depth=2)

    def judged(network: Network) -> BestOfN:
        return best_of_policy(task, network, budget=budget, depth=2)

    return helped(alone, judged, budget, task, effort, key)
