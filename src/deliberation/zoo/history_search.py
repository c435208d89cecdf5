"""Search under hidden state: nodes are histories, states drawn from what was seen."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import HistorySearch
from .made import Made, planner

ZOO = {
    "name": "history_search",
    "title": "Information-set tree search (POMCP)",
    "kind": "direct",
    "items": [13],
    "tasks": {
        "gridworld_hidden": {},
        "kuhn_poker": {},
        "leduc_poker": {},
        "tiger": {"horizon": 10},
    },
    "source": "Silver and Veness 2010; Cowling, Powley and Whitehouse 2012",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    decider = HistorySearch(task, budget={"smoke": 64, "quick": 256, "full": 1024}[effort])
    return planner(decider)
