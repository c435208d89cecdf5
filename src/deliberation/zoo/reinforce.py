"""REINFORCE: a network that learns to act by the returns of whole episodes."""

from jaxtyping import Array, Key

from ..amortised import Reinforce, train_reinforce
from ..core.task import Task
from ..tasks.control.cartpole import CartPole
from .made import Made, policy_alone

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
    """The plain policy gradient, with a learned value as the baseline.

    In a grid, most episodes of an early policy earn the same; a larger entropy bonus keeps it from
    settling on one of them (with 0.03 or less, 1 seed in 8 never reaches the goal).
    """
    entropy = 0.01 if isinstance(task, CartPole) else 0.06
    settings = Reinforce(updates=UPDATES[effort], entropy=entropy)
    found = train_reinforce(task, key=key, settings=settings)
    return policy_alone(found.decider, found.ledger)
