"""The cross-entropy method, begun from a policy that imitates it."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import CEM
from ._control import begun_from_policy
from .made import Made

ZOO = {
    "name": "cross_entropy_policy",
    "title": "Cross-entropy method begun from a policy",
    "kind": "hybrid",
    "items": [38],
    "tasks": {"pendulum": {}},
    "source": "Tschantz et al. 2020",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The policy learns from the planner alone; both parts are given the same small budget."""
    return begun_from_policy(CEM, task, effort, key, population=32)
