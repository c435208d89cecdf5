"""Search under hidden state: nodes are histories, states drawn from what was seen."""

import math

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import UCT, HistorySearch
from ._entry import Made

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
    # The constant is on the scale of returns: of one action's, where an episode sums them up.
    low, high = task.objective.bounds
    span = (high - low) / task.traits.horizon
    rule = UCT(c=max(1.0, span) if math.isfinite(span) else 1.0)
    decider = HistorySearch(task, rule, budget={"smoke": 64, "quick": 256, "full": 1024}[effort])
    return Made(decider, searching=decider, budget=decider.budget)
