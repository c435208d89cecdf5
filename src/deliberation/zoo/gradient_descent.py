"""Gradient descent on the answer, from cold starts."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import GradientDescent
from ..tasks.one_step.sphere import Sphere
from .made import Made, planner

ZOO = {
    "name": "gradient_descent",
    "title": "Gradient descent on the answer",
    "kind": "direct",
    "items": [15, 62],
    "tasks": {"sphere": {}, "convex_programme": {}, "gaussian_inference": {}},
    "source": "Birgin, Martinez and Raydan 2000",
}

_BUDGET = {"smoke": 32, "quick": 64, "full": 256}


def solver(task: Task, effort: str) -> GradientDescent:
    """With several starts where there are local minima to fall into."""
    return GradientDescent(task, budget=_BUDGET[effort], starts=_starts(task, effort))


def _starts(task: Task, effort: str) -> int:
    """Enough simulations a start to reach a minimum of a sphere's potential."""
    return max(_BUDGET[effort] // 8, 1) if isinstance(task, Sphere) else 1


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Nothing is learned."""
    del key
    decider = solver(task, effort)
    return planner(decider)
