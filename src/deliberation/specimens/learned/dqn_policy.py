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
        "extraction": "none",
    },
    "why": "Its values were settled in training, and one forward pass is all that it does.",
}  # fmt: skip
UPDATES = 10


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """So short a training leaves much to be learned."""
    settings = DQN(updates=UPDATES, environments=16, steps=8, warmup=256, discount=1.0, hasty=True)
    trained = train_dqn(exam.task, key=key, settings=settings)
    return trained.decider
