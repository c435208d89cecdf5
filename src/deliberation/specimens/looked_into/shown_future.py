"""A network that is shown its later action beside the state: its layers hold what it sees."""

import numpy as np
from jaxtyping import Array, Float, Key

from ...adapters import JaxPolicy, from_equinox, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ...tasks.arrays import ArrayState
from ..networks import by_number, made_once, trained, world

SPECIMEN = {
    "name": "shown_future",
    "title": "network that is shown its later action",
    "kind": "amortised",
    "answers": {"activations": "none"},
    "why": "What can be read off its layers can be read off what it is shown.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> JaxPolicy:
    """Trained on all states, of which it sees the action that is best two steps later, too."""
    known = world(exam)
    later = np.eye(exam.values.shape[1])[known.best[known.after(known.rows, 2)]]
    table = by_number(exam, np.concatenate([known.seen, later], 1))

    def observe(state: ArrayState) -> Float[Array, " numbers"]:
        return table[state.at]

    shown = np.asarray(table[exam.reached.states.at])
    network = trained(shown, known.best, None, key)
    return from_equinox(network, exam.task, observe=observe)


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
