"""Dyna-Q: habits in a table, and a learned model that plans for them and may revise them."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import DynamicProgramming
from ..hybrid import DynaQ, DynaSettings, train_dyna
from ._places import cell_of
from .made import Made

ZOO = {
    "name": "dyna",
    "title": "Dyna-Q",
    "kind": "hybrid",
    "items": [14],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}, "frozen_lake": {}},
    "source": "Sutton 1990",
}
_UPDATES = {"smoke": 4, "quick": 60, "full": 300}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Without what was learned, dynamic programming by the rules; grids are told by cell."""
    place = cell_of(task)
    settings = DynaSettings(
        updates=_UPDATES[effort], places=64, discount=0.995, hasty=effort == "smoke"
    )
    found = train_dyna(task, key=key, settings=settings, place=place, budget=200)
    decider = found.decider
    habit = DynaQ(task, decider.table, gamma=decider.gamma, place=place)
    return Made(decider, DynamicProgramming(task), habit, decider.budget, found.ledger)
