"""Deep Q-learning: a network of action values, learned from replayed experience."""

from jaxtyping import Array, Key

from ..amortised import DQN, train_dqn
from ..core.task import Task
from .made import Made, policy_alone

ZOO = {
    "name": "dqn",
    "title": "Deep Q-learning (double DQN)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"cartpole": {}},
    "source": "Mnih et al. 2015; van Hasselt et al. 2016",
}
UPDATES = {"smoke": 3, "quick": 80, "full": 200}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The task does not show the time, so an end by the clock is a cut."""
    found = train_dqn(task, key=key, settings=DQN(updates=UPDATES[effort], timeouts=True))
    return policy_alone(found.decider, found.ledger)
