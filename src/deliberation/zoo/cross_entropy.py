"""The cross-entropy method over plans."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import CEM
from ._control import BUDGET, ahead
from .made import Made, planner

ZOO = {
    "name": "cross_entropy",
    "title": "Cross-entropy method",
    "kind": "direct",
    "items": [15],
    "tasks": {"pendulum": {}, "cartpole": {"horizon": 200}, "gridworld_continuous": {}},
    "source": "Rubinstein 1999; de Boer et al. 2005",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    return planner(CEM(task, budget=BUDGET[effort], population=32, **ahead(task)))
