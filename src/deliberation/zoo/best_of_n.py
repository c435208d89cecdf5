"""Best of n: a few random plans tried out in the model, the best one's first action taken."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import BestOfN
from .made import Made, planner

ZOO = {
    "name": "best_of_n",
    "title": "Best of n random candidates",
    "kind": "direct",
    "items": [15],
    "tasks": {"tic_tac_toe": {}, "gridworld": {}, "kuhn_poker": {}},
    "source": "Stiennon et al. 2020",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned: the base policy is uniform."""
    del key
    budget = {"smoke": 4}.get(effort, 64)
    decider = BestOfN(task, budget=budget, playouts=1 if effort == "smoke" else 8)
    return planner(decider, budget)
