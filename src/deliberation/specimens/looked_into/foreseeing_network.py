"""A network that was trained to tell its action two steps ahead beside the present one."""

from jaxtyping import Array, Key

from ...amortised import NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import made_once, trained, world

SPECIMEN = {
    "name": "foreseeing_network",
    "title": "network with a head for a later action",
    "kind": "amortised",
    "answers": {
        "activations": "responds",
        "effort": "none",
        "objective": "none",
        "revaluation": "none",
        "extraction": "none",
    },
    "why": "The head is cut off after training; the layer below it holds what the head told.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Trained on all states."""
    known = world(exam)
    later = known.best[known.after(known.rows, 2)]
    return NetworkPolicy(exam.task, trained(known.seen, known.best, later, key))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
