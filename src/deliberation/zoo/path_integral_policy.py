"""MPPI, begun from a policy that imitates it."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import MPPI
from ._control import begun_from_policy
from .made import Made

ZOO = {
    "name": "path_integral_policy",
    "title": "MPPI begun from a policy",
    "kind": "hybrid",
    "items": [38],
    "tasks": {"pendulum": {}},
    "source": "Tschantz et al. 2020; Hansen et al. 2024",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The policy learns from the planner alone; both parts are given the same small budget."""
    return begun_from_policy(MPPI, task, effort, key, population=32)
