"""MPPI, begun from a policy that imitates it."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import MPPI
from ._control import ahead, imitated
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
    teacher = MPPI(task, population=32, **ahead(task))
    return imitated(
        teacher, lambda p: MPPI(task, population=32, proposals=p, **ahead(task)), effort, key
    )
