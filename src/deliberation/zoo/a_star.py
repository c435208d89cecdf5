"""A*: best-first search with an admissible heuristic."""

from jaxtyping import Array, Int, Key

from ..core.task import State, Task
from ..direct import BestFirst
from .made import Made, planner

ZOO = {
    "name": "a_star",
    "title": "A*",
    "kind": "direct",
    "items": [15],
    "tasks": {"sliding_tiles": {}, "gridworld": {}},
    "source": "Hart, Nilsson and Raphael 1968",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned; the clock in the state does not part what is otherwise alike."""
    del key
    budget = {"smoke": 64}.get(effort, 100_000)
    decider = BestFirst(task, budget=budget, merge=place_of(task))
    return planner(decider, budget)


def place_of(task: Task):
    """What tells states of a task with a clock apart but for the time; None: everything does."""
    name = type(task).__name__
    return {"SlidingTiles": _tiles, "Gridworld": _cell, "FrozenLake": _cell}.get(name)


def _tiles(state: State) -> Int[Array, " cells"]:
    return state.tiles


def _cell(state: State) -> Int[Array, ""]:
    return state.cell
