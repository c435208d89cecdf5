"""An exact Bayes mixture over four worlds, of which one is true."""

import dataclasses

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import BayesMixture
from .made import Made, planner

ZOO = {
    "name": "bayes_mixture",
    "title": "AIXI with a finite class",
    "kind": "direct",
    "items": [12],
    "tasks": {"tiger": {"horizon": 10}},
    "source": "Hutter 2005",
}

_HEARS = (0.55, 0.7, 0.85, 0.95)
_AHEAD = {"smoke": 2, "quick": 4, "full": 5}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned beforehand: how well the tiger is heard is found out in each episode."""
    del key
    worlds = [dataclasses.replace(task, accuracy=a) for a in _HEARS]  # type: ignore[type-var]
    decider = BayesMixture(worlds, task=task, horizon=_AHEAD[effort])
    return planner(decider)
