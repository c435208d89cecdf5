"""A network at random weights."""

from jaxtyping import Array, Key

from ...amortised import MLP, NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import WIDTH, made_once, world

SPECIMEN = {
    "name": "untrained_network",
    "title": "network at random weights",
    "kind": "cheat",
    "answers": {"activations": "none"},
    "why": "Nothing was learned.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Drawn."""
    shape, actions = world(exam).seen.shape[1:], exam.values.shape[1]
    return NetworkPolicy(exam.task, MLP(shape, actions, WIDTH, key=key))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
