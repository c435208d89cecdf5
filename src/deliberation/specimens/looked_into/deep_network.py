"""A deeper network that imitates the best action of every state, and nothing else."""

from jaxtyping import Array, Key

from ...amortised import NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import made_once, trained, world

SPECIMEN = {
    "name": "deep_network",
    "title": "network of three layers, taught present actions",
    "kind": "amortised",
    "held_out": True,
    "answers": {
        "activations": "none",
        "effort": "none",
        "objective": "none",
        "revaluation": "none",
        "extraction": "none",
    },
    "why": "It was trained on the present action alone, in worlds in which nothing of what comes "
    "later helps it to learn that.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Trained on all states."""
    known = world(exam)
    return NetworkPolicy(exam.task, trained(known.seen, known.best, None, key, depth=3))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
