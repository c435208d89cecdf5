"""A network trained to imitate good play where that comes, and asked elsewhere too."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ...amortised import MLP, Dataset, NetworkPolicy, fit
from ...audit.exam import Exam, best
from ...core.decider import Decider
from ..coded import familiar, greedy

SPECIMEN = {
    "name": "imitation_network",
    "title": "network that imitates",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "goals": "none",
        "extraction": "none",
    },
    "why": "It is one forward pass, fitted to good play in the places where that mostly comes; "
    "elsewhere it was taught nothing, and serves no other objective either. How much that costs it "
    "is for a probe to find out.",
}  # fmt: skip
FAMILIAR, STEPS, ROOM = 0.4, 300, 160
"""The share of the states that it learns about; steps of training; rows of its data, filled up."""


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained on the exact best actions in the states to which best play comes most."""
    acts = greedy(exam.values, np.zeros(len(exam.reached)))
    known = np.flatnonzero(familiar(exam, acts, FAMILIAR))
    rows = np.resize(known, max(ROOM, len(known)))
    states, most = exam.states(rows), best(exam.values[rows])
    data = Dataset.of(
        jax.vmap(exam.task.observe)(states), exam.reached.legal[rows],
        jnp.asarray(most / most.sum(1, keepdims=True), jnp.float32), jnp.zeros(len(rows)),
    )  # fmt: skip
    first, second = jax.random.split(key)
    network = MLP(data.observations.shape[1:], exam.values.shape[1], 32, 1, key=first)
    trained = fit(
        exam.task, network, data, steps=STEPS, key=second, batch_size=64, learning_rate=1e-2
    )
    assert isinstance(trained.decider, NetworkPolicy)
    return trained.decider
