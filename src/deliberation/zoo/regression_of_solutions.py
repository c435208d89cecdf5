"""A network fitted to a solver's answers."""

import jax
from jaxtyping import Array, Key

from ..amortised import collect_answers, fit_answers
from ..core.task import Task
from . import _amortiser
from .gradient_descent import solver
from .made import Made

ZOO = {
    "name": "regression_of_solutions",
    "title": "Regression of a solver's answers",
    "kind": "amortised",
    "items": [17],
    "tasks": {"convex_programme": {}, "gaussian_inference": {}, "sphere": {}},
    "source": "Amos 2022",
}

_PROBLEMS = {"smoke": 1024, "quick": 16384, "full": 131072}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Ask the solver first, then learn what it said."""
    draw, ask, start, fit = jax.random.split(key, 4)
    problems = jax.vmap(task.init)(jax.random.split(draw, _PROBLEMS[effort]))
    answers, spent = collect_answers(solver(task, "quick"), problems, key=ask)
    steps = _amortiser.STEPS[effort]
    found = fit_answers(task, _amortiser.network(task, start), answers, steps=steps, key=fit)
    return _amortiser.made(found, spent)
