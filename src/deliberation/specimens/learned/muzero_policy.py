"""MuZero after a short training: search in a world that was learned, rewards included."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...hybrid import MuZeroSettings, train_muzero

SPECIMEN = {
    "name": "muzero_policy",
    "title": "MuZero, a short training",
    "kind": "hybrid",
    "held_out": True,
    "answers": {"objective": "none", "revaluation": "none", "extraction": "none"},
    "why": "The rewards by which it searches were learned, and it hears no others; what search "
    "adds to so short a training, nobody can say beforehand.",
}
TRAINING = MuZeroSettings(updates=4, gradient_steps=8, batch_size=64, hasty=True)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained under the task's own rewards."""
    return train_muzero(exam.task, key=key, settings=TRAINING).decider
