"""Q-learning's table after a short training: a learned policy, good in part."""

from jaxtyping import Array, Key

from ...amortised import Tabular, train_q_learning
from ...audit.exam import Exam
from ...core.decider import Decider

SPECIMEN = {
    "name": "q_learner",
    "title": "Q-learning",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "Its values were settled in training.",
}  # fmt: skip
TRAINING = Tabular(updates=8, environments=16, steps=64, capacity=512)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained under the task's own rewards."""
    return train_q_learning(exam.task, key=key, settings=TRAINING).decider
