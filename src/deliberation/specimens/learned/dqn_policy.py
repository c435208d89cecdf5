"""Action values learned by a deep Q-network, in a short training."""

from jaxtyping import Array, Key

from ...amortised import DQN, train_dqn
from ...audit.exam import Exam
from ...core.decider import Decider

SPECIMEN = {
    "name": "dqn_policy",
    "title": "deep Q-learning",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
    },
    "why": "Its values were settled in training, and one forward pass is all that it does.",
}  # fmt: skip
TRAINING = DQN(updates=10, environments=16, steps=8, warmup=256, discount=1.0, hasty=True)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained under the task's own rewards."""
    return train_dqn(exam.task, key=key, settings=TRAINING).decider
