"""Stay probabilities of the two-step task by how much of the values is a model's."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from deliberation.audit.probes.two_step import CELLS, model_based, model_free, over_trainings, stays
from deliberation.specimens.learners import Both, HybridLearner

from . import Row

REPRODUCTION = {
    "name": "two_step",
    "title": "The two-step task: stay probabilities and indices",
    "source": "Daw et al. 2011, parameters of the median person",
    "published": "P(stay) and both indices at w = 0, .39 and 1, from an independent simulation of "
    "400 agents over 201 trials.",
    "tolerance": "0.02 around each.",
    "unprinted": {"*": "simulated"},
    "tried": "With 400 agents two rows were not decided; it was measured anew with 2,000.",
}
TOLERANCE = 0.02
PUBLISHED = {
    0.0: ((0.896, 0.898, 0.685, 0.684), -0.002, 0.214),
    0.39: ((0.835, 0.781, 0.613, 0.668), 0.055, 0.169),
    1.0: ((0.753, 0.600, 0.594, 0.750), 0.156, 0.005),
}
"""By weight: the stay probabilities, the model-based and the model-free index."""
AGENTS = {"smoke": 400, "quick": 400, "full": 2000}


class Daw(HybridLearner):
    """Knows beforehand that one side follows with .7, the other with .3; which, it counts.

    As Daw et al. describe their agents: of the two ways to pair actions with sides, the one that
    was seen more often.
    """

    def modelled(self, knowledge: Both) -> Float[Array, "states actions"]:
        """The rewards last seen, behind the more likely pairing."""
        counts = knowledge.leads * knowledge.count[..., None]
        seen = counts.sum(1, keepdims=True) > 0
        apart = jnp.where(seen, counts - counts[:, ::-1], -jnp.inf)
        chance = jnp.where(apart == apart.max(-1, keepdims=True), 0.7, 0.3)
        return super().modelled(knowledge._replace(leads=jnp.where(seen, chance, 0.0)))


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """Six numbers for each weight; trainings are resampled."""
    rows = []
    for number, (weight, (stay, based, free)) in enumerate(PUBLISHED.items()):
        found = stays(Daw(weight=weight), AGENTS[effort], jax.random.fold_in(key, number))
        numbers = [
            *((f"P(stay), {cell}", told, found[:, i]) for i, (cell, told) in
              enumerate(zip(CELLS, stay, strict=True))),
            ("model-based index", based, model_based(found)),
            ("model-free index", free, model_free(found)),
        ]  # fmt: skip
        rows += [_row(f"w = {weight:g}: {what}", told, x) for what, told, x in numbers]
    return rows


def _row(what: str, told: float, sample: Float[np.ndarray, " n"]) -> Row:
    return Row(what, told, over_trainings(sample), told - TOLERANCE, told + TOLERANCE)
