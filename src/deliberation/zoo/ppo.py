"""Proximal policy optimisation: a network that learns to act by trial and error."""

from dataclasses import replace

from jaxtyping import Array, Key

from ..amortised import PPO, train_ppo
from ..core.task import Task
from .made import Made, policy_alone

ZOO = {
    "name": "ppo",
    "title": "Policy gradient (PPO)",
    "kind": "amortised",
    "items": [16],
    "tasks": {"cartpole": {}, "pendulum": {}},
    "source": "Schulman et al. 2017",
}
UPDATES = {"smoke": 4, "quick": 50, "full": 150}
TIMES = 4
"""Continuous actions take so many times the updates."""
CONTINUOUS = PPO(
    environments=64, steps=64, epochs=8, minibatches=16, rate=1e-3, discount=0.9, trace=0.95,
    value=0.01,
)  # fmt: skip


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Neither task shows the time, so an end by the clock is a cut."""
    discrete = task.traits.discrete
    updates = UPDATES[effort] * (1 if discrete or effort == "smoke" else TIMES)
    settings = replace(PPO() if discrete else CONTINUOUS, updates=updates, timeouts=True)
    found = train_ppo(task, key=key, settings=settings)
    return policy_alone(found.decider, found.ledger)
