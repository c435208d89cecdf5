"""A deeper network that was trained to tell where it will be, beside the present action."""

import numpy as np
from jaxtyping import Array, Key

from ...amortised import NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import made_once, trained, world

SPECIMEN = {
    "name": "placing_network",
    "title": "network with a head for a later place",
    "kind": "amortised",
    "held_out": True,
    "answers": {"activations": "responds", "effort": "none", "objective": "none"},
    "why": "The head told in which of three parts of the world it is after three moves; it is cut "
    "off after training, and the layer below it holds what the head told.",
}
MOVES = 3


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Trained on all states; parts are as many as there are actions, by the places' order."""
    known = world(exam)
    actions = int(known.best.max()) + 1
    parts = np.arange(len(known.best)) * actions // len(known.best)
    later = parts[known.after(known.rows, MOVES)]
    return NetworkPolicy(exam.task, trained(known.seen, known.best, later, key, depth=3))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
