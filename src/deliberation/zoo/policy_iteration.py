"""Policy iteration: a policy valued exactly, then improved, until it is best."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import DynamicProgramming
from .made import Made

ZOO = {
    "name": "policy_iteration",
    "title": "Policy iteration",
    "kind": "direct",
    "items": [15],
    "tasks": {"gridworld_slippery": {}, "cliff_walk": {"slip": 0.1}},
    "source": "Howard 1960",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    del effort
    decider = DynamicProgramming(task, "policy iteration")
    return Made(decider, searching=decider)
