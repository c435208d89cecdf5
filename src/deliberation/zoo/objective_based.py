"""A network trained by the objective's own gradient."""

import jax
from jaxtyping import Array, Key

from ..amortised import fit_objective
from ..core.task import Task
from . import _amortiser
from .made import Made

ZOO = {
    "name": "objective_based",
    "title": "Objective-based amortisation",
    "kind": "amortised",
    "items": [17, 24],
    "tasks": {"convex_programme": {}, "gaussian_inference": {}, "sphere": {}},
    "source": "Amos 2022",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Differentiate through the objective, and keep the network."""
    start, fit = jax.random.split(key)
    steps = _amortiser.STEPS[effort]
    found = fit_objective(task, _amortiser.network(task, start), steps=steps, key=fit)
    return _amortiser.made(found)
