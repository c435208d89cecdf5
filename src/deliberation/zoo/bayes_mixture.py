"""An exact Bayes mixture over four worlds, of which one is true."""

import dataclasses

from jaxtyping import Array, Key

from ..core.errors import UnsuitableTaskError
from ..core.task import Task
from ..direct import BayesMixture
from ..tasks.hidden.tiger import Tiger
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
    if not isinstance(task, Tiger):
        raise UnsuitableTaskError(f"{task!r} is no tiger: its worlds are of this entry's class.")
    worlds = [dataclasses.replace(task, accuracy=a) for a in _HEARS]
    decider = BayesMixture(worlds, task=task, horizon=_AHEAD[effort])
    return planner(decider)
