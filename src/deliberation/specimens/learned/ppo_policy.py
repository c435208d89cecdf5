"""A policy learned by proximal policy optimisation, in a short training."""

from jaxtyping import Array, Key

from ...amortised import PPO, train_ppo
from ...audit.exam import Exam
from ...core.decider import Decider

SPECIMEN = {
    "name": "ppo_policy",
    "title": "policy gradient (PPO)",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "What it prefers was settled in training, and one forward pass is all that it does.",
}  # fmt: skip
TRAINING = PPO(updates=12, environments=32, steps=16, rate=5e-3, discount=1.0, hasty=True)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained under the task's own rewards."""
    return train_ppo(exam.task, key=key, settings=TRAINING).decider
