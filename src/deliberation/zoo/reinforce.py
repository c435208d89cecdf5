"""REINFORCE: a network that learns to act by the returns of whole episodes."""

from jaxtyping import Array, Key

from ..amortised import Reinforce, train_reinforce
from ..core.task import Task
from .made import Made

ZOO = {
    "name": "reinforce",
    "title": "Policy gradient (REINFORCE)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"cartpole": {}, "gridworld": {}},
    "source": "Williams 1992",
}
UPDATES = {"smoke": 3, "quick": 40, "full": 80}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The plain policy gradient, with a learned value as the baseline."""
    found = train_reinforce(task, key=key, settings=Reinforce(updates=UPDATES[effort]))
    return Made(found.decider, learned=found.decider, trained=found.ledger)
