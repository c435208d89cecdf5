"""SARSA in a table: values of acting as one does, exploration included."""

from jaxtyping import Array, Key

from ..amortised import train_sarsa
from ..core.task import Task
from ._entry import Made
from ._trial_and_error import tabular

ZOO = {
    "name": "sarsa",
    "title": "SARSA (table)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"gridworld": {}, "gridworld_slippery": {}},
    "source": "Rummery and Niranjan 1994",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Exploration falls to almost nothing, since its values count what exploring costs."""
    policy, spent = train_sarsa(task, key, tabular(effort, explore=0.01))
    return Made(policy, learned=policy, trained=spent)
