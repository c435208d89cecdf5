"""A small decoder-only transformer, trained to predict the next token."""

import jax
from jaxtyping import Array, Key

from ..amortised import NetworkPolicy, Transformer, fit_next_token
from ..core.errors import UnsuitableTaskError
from ..core.task import Task
from ..tasks.text.markov_text import MarkovText
from .made import Made, policy_alone

ZOO = {
    "name": "transformer",
    "title": "Decoder-only transformer",
    "kind": "amortised",
    "items": [17, 18, 46],
    "tasks": {"markov_text": {}},
    "source": "Radford et al. 2019",
}

_SIZE = {"smoke": (16, 100), "quick": (32, 1000), "full": (64, 10000)}
"""Width, and steps of training."""


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Learn the source of the text; guesses are what it finds likeliest."""
    if not isinstance(task, MarkovText):
        raise UnsuitableTaskError(f"{task!r} is no text: this entry is for MarkovText.")
    start, fit = jax.random.split(key)
    width, steps = _SIZE[effort]
    shape = (task.order + task.length,)
    network = Transformer(shape, task.vocabulary, width=width, key=start)
    found = fit_next_token(task.text, network, steps=steps, key=fit)
    decider = NetworkPolicy(task, found.network)
    return policy_alone(decider, found.ledger)
