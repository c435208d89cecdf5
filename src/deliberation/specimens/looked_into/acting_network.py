"""A network that imitates the best action of every state, and was asked for nothing else."""

from jaxtyping import Array, Key

from ...amortised import NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import made_once, trained, world

SPECIMEN = {
    "name": "acting_network",
    "title": "network taught present actions, all states",
    "kind": "amortised",
    "answers": {
        "activations": "none",
        "effort": "none",
        "objective": "none",
        "revaluation": "none",
        "extraction": "none",
    },
    "why": "It was trained on the present action alone. What is seen of a state is its number and "
    "actions lead anywhere, so that nothing of what comes later helps it to learn that.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Trained on all states."""
    known = world(exam)
    return NetworkPolicy(exam.task, trained(known.seen, known.best, None, key))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
