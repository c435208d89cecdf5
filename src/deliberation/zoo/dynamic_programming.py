"""Value iteration: every state backed up until nothing changes."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import DynamicProgramming
from .made import Made

ZOO = {
    "name": "dynamic_programming",
    "title": "Value iteration",
    "kind": "direct",
    "items": [15],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}, "frozen_lake": {}},
    "source": "Bellman 1957",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    del effort
    decider = DynamicProgramming(task)
    return Made(decider, searching=decider)
