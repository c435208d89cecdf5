"""Deep Q-learning: a network of action values, learned from replayed experience."""

from jaxtyping import Array, Key

from ..amortised import DQN, train_dqn
from ..core.task import Task
from ._trial_and_error import at_effort
from .made import Made, policy_alone

ZOO = {
    "name": "dqn",
    "title": "Deep Q-learning (double DQN)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"cartpole": {}, "acrobot": {}, "mountain_car": {}},
    "source": "Mnih et al. 2015; van Hasselt et al. 2016",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """With the settings known to learn the task."""
    found = train_dqn(task, key=key, settings=at_effort(DQN.for_task(task), effort))
    return policy_alone(found.decider, found.ledger)
