"""Search that halves a sample of actions (Gumbel MuZero), with random rollouts."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import TreeSearch
from .made import Made, planner

ZOO = {
    "name": "gumbel_search",
    "title": "Gumbel tree search",
    "kind": "direct",
    "items": [13],
    "tasks": {"gridworld": {}, "tic_tac_toe": {}, "connect_four": {}},
    "source": "Danihelka et al. 2022",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    return planner(
        TreeSearch(task, "gumbel", budget={"smoke": 32, "quick": 128, "full": 512}[effort])
    )
