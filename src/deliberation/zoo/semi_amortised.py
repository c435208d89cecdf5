"""A network's guess, improved by gradient steps on the objective; trained through the steps."""

import jax
from jaxtyping import Array, Key

from ..amortised import AnswerPolicy
from ..core.task import Task
from ..direct import GradientDescent
from ..hybrid import SemiAmortised, fit_through
from ..tasks.one_step.sphere import Sphere
from . import _amortiser
from .made import Made

ZOO = {
    "name": "semi_amortised",
    "title": "Semi-amortised optimisation",
    "kind": "hybrid",
    "items": [38],
    "tasks": {"sphere": {}, "convex_programme": {}, "gaussian_inference": {}},
    "source": "Kim et al. 2018",
}

_BUDGET = 8


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Where there are local minima the guess has to be in the right valley, and nothing more."""
    start, fit = jax.random.split(key)
    through = _BUDGET if isinstance(task, Sphere) else 1
    found = fit_through(
        task, _amortiser.network(task, start), through=through,
        steps=_amortiser.STEPS[effort], key=fit,
    )  # fmt: skip
    return Made(
        SemiAmortised(task, found.network, budget=_BUDGET),
        searching=GradientDescent(task, budget=_BUDGET),
        learned=AnswerPolicy(task, found.network),
        budget=_BUDGET,
        trained=found.ledger,
    )
