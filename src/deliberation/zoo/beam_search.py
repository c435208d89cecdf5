"""Beam search: the most promising few nodes of each depth."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import BeamSearch
from .a_star import place_of
from .made import Made, planner

ZOO = {
    "name": "beam_search",
    "title": "Beam search",
    "kind": "direct",
    "items": [15],
    "tasks": {"sliding_tiles": {}, "gridworld": {}},
    "source": "Lowerre 1976",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    width, budget = {"smoke": (8, 64)}.get(effort, (64, 4096))
    decider = BeamSearch(task, width=width, budget=budget, merge=place_of(task))
    return planner(decider, budget)
