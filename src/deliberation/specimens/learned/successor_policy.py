"""The successor representation: arrivals learned apart from what they are worth."""

from jaxtyping import Array, Key

from ...amortised import Tabular, train_successor
from ...audit.exam import Exam
from ...core.decider import Decider

SPECIMEN = {
    "name": "successor_policy",
    "title": "successor representation",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "New rewards change its choices once they are met and learned, which an announcement "
    "is not.",
}  # fmt: skip
TRAINING = Tabular(updates=8, environments=16, steps=64, capacity=512)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained under the task's own rewards."""
    return train_successor(exam.task, key=key, settings=TRAINING).decider
