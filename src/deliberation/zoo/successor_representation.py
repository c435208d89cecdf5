"""The successor representation: arrivals learned apart from what they are worth."""

from jaxtyping import Array, Key

from ..amortised import Tabular, train_successor
from ..core.task import Task
from ._places import cell_row_of
from .made import Made, policy_alone

ZOO = {
    "name": "successor_representation",
    "title": "Successor representation (table)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}},
    "source": "Dayan 1993",
}
UPDATES = {"smoke": 2, "quick": 24, "full": 120}
PLACES = 32


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """In a grid, rewards depend on the cell one arrives in."""
    decay = 0.0 if task.traits.deterministic else 0.6
    settings = Tabular(updates=UPDATES[effort], capacity=2048, decay=decay)
    found = train_successor(
        task, key=key, settings=settings, places=PLACES, places_apart=cell_row_of(task)
    )
    return policy_alone(found.decider, found.ledger)
