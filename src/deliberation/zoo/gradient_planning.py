"""Planning by gradients through the model."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import GradientPlanning
from ._control import BUDGET, ahead
from .made import Made, planner

ZOO = {
    "name": "gradient_planning",
    "title": "Planning by gradients",
    "kind": "direct",
    "items": [15, 62],
    "tasks": {"pendulum": {}},
    "source": "Kelley 1960; Kingma and Ba 2015",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    return planner(GradientPlanning(task, budget=BUDGET[effort], **ahead(task)))
