"""A network that infers what is hidden, trained by the evidence lower bound."""

import jax
from jaxtyping import Array, Key

from ..amortised import fit_inference
from ..core.task import Task
from . import _amortiser
from .made import Made

ZOO = {
    "name": "inference_network",
    "title": "Inference network",
    "kind": "amortised",
    "items": [17, 26],
    "tasks": {"gaussian_inference": {}},
    "source": "Kingma and Welling 2014",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Learn from the model's own samples; the exact posterior is not seen."""
    start, fit = jax.random.split(key)
    network = _amortiser.network(task, start, scored=False)
    found = fit_inference(task, network, steps=_amortiser.STEPS[effort], key=fit)
    return _amortiser.made(found)
