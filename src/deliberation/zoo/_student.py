"""A network for entries that learn from a search: fitted to its answers in positions of play."""

import jax
from jaxtyping import Array, Key

from ..amortised import MLP, Network, collect, fit, random_positions
from ..core.ledger import Ledger
from ..core.task import Task
from ..direct import TreeSearch

POSITIONS = {"smoke": 128, "quick": 2000, "full": 20000}
STEPS = {"smoke": 50, "quick": 1000, "full": 10000}
SIMULATIONS = {"smoke": 16, "quick": 200, "full": 800}


def student(task: Task, effort: str, key: Key[Array, ""]) -> tuple[Network, Ledger]:
    """A network that imitates UCT with random rollouts, and what it took, the teacher included."""
    positions, asked, weights, fitting = jax.random.split(key, 4)
    state = random_positions(task, POSITIONS[effort], positions)
    budget = SIMULATIONS[effort]
    teacher = TreeSearch(task, "uct", budget=budget, capacity=budget)
    data, teaching = collect(teacher, state, key=asked, batch=512)
    network = MLP(
        data.observations.shape[1:], task.traits.actions, 128, 2,
        value_range=task.objective.bounds, key=weights,
    )  # fmt: skip
    fitted = fit(task, network, data, steps=STEPS[effort], key=fitting)
    return fitted.network, teaching + fitted.ledger
