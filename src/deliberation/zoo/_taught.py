"""A network for entries that need a learned part: taught by the exact answers of a small task."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Key

from ..amortised import MLP, Dataset, Network, NetworkPolicy, fit
from ..core.decider import Decider
from ..core.ledger import Ledger
from ..core.task import Task
from ..direct import Solution, solve
from .made import Made

STEPS = {"smoke": 20, "quick": 400, "full": 6000}
POSITIONS = {"smoke": 200, "quick": 1000, "full": 4000}


def solved_network(
    task: Task, effort: str, key: Key[Array, ""]
) -> tuple[Network, Solution, Ledger]:
    """A network fitted to the best actions and values of some solved states, and what it took.

    The solution is handed over too; solving is counted in what it took.
    """
    solution = solve(task)
    rows = solution.sample(min(POSITIONS[effort], enough(solution)))
    observations = jax.jit(jax.vmap(task.observe))(rows)
    legal = jax.jit(jax.vmap(task.legal))(rows)
    best = solution.optimal(rows).astype(np.float32)
    weights = best / best.sum(1, keepdims=True)
    data = Dataset.of(observations, legal, weights, solution.values(rows))
    first, then = jax.random.split(key)
    low, high = task.objective.bounds
    network = MLP(
        observations.shape[1:], task.traits.actions, 64, 2, value_range=(low, high), key=first
    )
    fitted = fit(task, network, data, steps=STEPS[effort], key=then)
    return fitted.network, solution, fitted.ledger + solution.spent


def helped(
    alone: Decider,
    helped_by: Callable[[Network], Decider],
    budget: int,
    task: Task,
    effort: str,
    key: Key[Array, ""],
) -> Made:
    """A search that a network helps, the search alone, and the network alone."""
    network, _, spent = solved_network(task, effort, key)
    return Made(helped_by(network), alone, NetworkPolicy(task, network), budget, spent)


def enough(solution: Solution) -> int:
    """How many states may be asked for: half of those in which play goes on."""
    return sum(int((~layer.terminal).sum()) for layer in solution) // 2
