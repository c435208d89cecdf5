"""MPPI: model-predictive path integral control."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import MPPI
from ._control import BUDGET, ahead
from .made import Made, planner

ZOO = {
    "name": "path_integral",
    "title": "Path integral control (MPPI)",
    "kind": "direct",
    "items": [15],
    "tasks": {"pendulum": {}, "gridworld_continuous": {}},
    "source": "Williams et al. 2017",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    return planner(MPPI(task, budget=BUDGET[effort], population=32, **ahead(task)))
