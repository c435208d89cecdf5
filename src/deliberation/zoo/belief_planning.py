"""Exact planning over what may be the case."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import BeliefPlanning
from .made import Made, planner

ZOO = {
    "name": "belief_planning",
    "title": "Expectimax over beliefs",
    "kind": "direct",
    "items": [15],
    "tasks": {"tiger": {"horizon": 10}, "cheese_maze": {"horizon": 12}},
    "source": "Åström 1965; Kaelbling, Littman and Cassandra 1998",
}

_AHEAD = {"smoke": 3, "quick": 8, "full": None}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned; to the end of the episode it is optimal."""
    del key
    decider = BeliefPlanning(task, horizon=_AHEAD[effort])
    return planner(decider)
