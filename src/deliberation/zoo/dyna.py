"""Dyna-Q: habits in a table, and a learned model that plans for them and may revise them."""

from typing import Any

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import DynamicProgramming
from ..hybrid import DynaQ, DynaSettings, train_dyna
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


def _cell(state: Any) -> Array:
    """Where one stands; neither the time nor what else is the same all along."""
    return state.cell


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Without what was learned, dynamic programming by the rules."""
    settings = DynaSettings(
        updates=_UPDATES[effort], places=64, discount=0.995, hasty=effort == "smoke"
    )
    found = train_dyna(task, key=key, settings=settings, place=_cell, budget=200)
    decider = found.decider
    habit = DynaQ(task, decider.table, gamma=decider.gamma, place=_cell)
    return Made(decider, DynamicProgramming(task), habit, decider.budget, found.ledger)
