"""Proximal policy optimisation: a network that learns to act by trial and error."""

from jaxtyping import Array, Key

from ..amortised import PPO, train_ppo
from ..core.task import Task
from ._trial_and_error import at_effort
from .made import Made, policy_alone

ZOO = {
    "name": "ppo",
    "title": "Policy gradient (PPO)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"cartpole": {}, "acrobot": {}, "mountain_car": {}, "pendulum": {}},
    "source": "Schulman et al. 2017",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """With the settings known to learn the task."""
    found = train_ppo(task, key=key, settings=at_effort(PPO.for_task(task), effort))
    return policy_alone(found.decider, found.ledger)
