"""SARSA in a table: values of acting as one does, exploration included."""

from dataclasses import replace

from jaxtyping import Array, Key

from ..amortised import train_sarsa
from ..core.task import Task
from ._places import cell_row_of
from ._trial_and_error import tabular
from .made import Made, policy_alone

ZOO = {
    "name": "sarsa",
    "title": "SARSA (table)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}},
    "source": "Rummery and Niranjan 1994",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Exploration falls slowly to almost nothing, since its values count what exploring costs.

    Rows in one cell are averaged and what was learned early is soon forgotten; in a grid, cells are
    told apart and the time is not.
    """
    settings = replace(
        tabular(effort, explore=0.001), environments=256, exploring=0.7, geometric=True, decay=0.45
    )
    found = train_sarsa(task, key=key, settings=settings, tell_apart=cell_row_of(task))
    return policy_alone(found.decider, found.ledger)
