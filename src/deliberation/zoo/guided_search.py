"""Search guided by a network: a planner that starts from an amortised policy and value."""

from jaxtyping import Array, Key

from ..amortised import NetworkPolicy
from ..core.task import Task
from ..direct import Gumbel, NoEvaluation, TreeSearch
from ..hybrid import guided_search
from ._student import student
from .made import Made

ZOO = {
    "name": "guided_search",
    "title": "Search guided by a network",
    "kind": "hybrid",
    "items": [19, 38],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}, "connect_four": {}},
    "source": "Silver et al. 2016; Danihelka et al. 2022",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The network imitates a search; without it, the same search knows no prior and no values."""
    network, spent = student(task, effort, key)
    budget = {"smoke": 8, "quick": 64, "full": 128}[effort]
    decider = guided_search(task, network, budget=budget)
    alone = TreeSearch(task, Gumbel(noise=0.0), NoEvaluation(), budget=budget)
    return Made(decider, alone, NetworkPolicy(task, network), budget, spent)
