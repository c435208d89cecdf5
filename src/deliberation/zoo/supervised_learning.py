"""Supervised learning: a network fitted to the answers of a search."""

from jaxtyping import Array, Key

from ..amortised import NetworkPolicy
from ..core.task import Task
from ._student import student
from .made import Made, policy_alone

ZOO = {
    "name": "supervised_learning",
    "title": "Imitation of a search",
    "kind": "amortised",
    "items": [17],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}, "gridworld": {}},
    "source": "Guo et al. 2014",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """One forward pass; the teacher is gone."""
    network, spent = student(task, effort, key)
    decider = NetworkPolicy(task, network)
    return policy_alone(decider, spent)
