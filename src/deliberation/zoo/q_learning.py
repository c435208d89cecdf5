"""Q-learning in a table."""

from jaxtyping import Array, Key

from ..amortised import train_q_learning
from ..core.task import Task
from ._trial_and_error import tabular
from .made import Made, policy_alone

ZOO = {
    "name": "q_learning",
    "title": "Q-learning (table)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}},
    "source": "Watkins and Dayan 1992",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Action values from trial and error."""
    found = train_q_learning(task, key=key, settings=tabular(effort))
    return policy_alone(found.decider, found.ledger)
