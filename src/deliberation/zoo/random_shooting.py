"""Random shooting: the first action of the best of many random plans."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import RandomShooting
from ._control import BUDGET, ahead
from .made import Made, planner

ZOO = {
    "name": "random_shooting",
    "title": "Random shooting",
    "kind": "direct",
    "items": [15],
    "tasks": {"pendulum": {}, "cartpole": {"horizon": 200}, "gridworld_continuous": {}},
    "source": "Rao 2009; Nagabandi et al. 2018",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    return planner(RandomShooting(task, budget=2 * BUDGET[effort], **ahead(task)))
