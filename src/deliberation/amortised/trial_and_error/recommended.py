"""Settings with which PPO and DQN learn tasks that exist: a starting point for tasks like them.

Found from those that rl-zoo publishes for stable-baselines3 (Raffin 2020); `benchmarks/peers.py`
measures them beside it, on the seeds that they were chosen on and on fresh ones. Each of these
tasks has a time limit that cuts its episodes and is not shown, and says so itself
(`Task.truncated`).
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from ...core.task import Task
from ...tasks import registered_names
from ...tasks.names import split_name

Kind = TypeVar("Kind")
RECOMMENDED: dict[str, dict[str, dict[str, Any]]] = {
    "PPO": {
        "cartpole": {},
        "acrobot": {
            "updates": 120, "environments": 64, "steps": 128, "epochs": 4, "minibatches": 32,
            "rate": 1e-3, "discount": 0.99, "trace": 0.94,
            "normalise_observations": True, "normalise_rewards": True,
        },
        "mountain_car": {
            "updates": 3900, "environments": 16, "steps": 16, "epochs": 4, "minibatches": 4,
            "rate": 1e-3, "discount": 0.99, "trace": 0.98,
            "normalise_observations": True, "normalise_rewards": True,
        },
        "pendulum": {
            "updates": 200, "environments": 16, "steps": 256, "epochs": 10, "minibatches": 64,
            "rate": 3e-4, "discount": 0.95, "trace": 0.95,
            "normalise_observations": True, "normalise_rewards": True,
        },
    },
    "DQN": {
        "cartpole": {},
        "acrobot": {
            "updates": 400, "environments": 64, "steps": 2, "batch": 64, "discount": 0.99,
            "target": 0.02, "width": 128, "normalise_observations": True,
        },
        "mountain_car": {
            "updates": 200, "environments": 16, "steps": 8, "discount": 0.99, "explore": 0.07,
            "target": 0.02, "normalise_observations": True,
        },
    },
}  # fmt: skip
"""By learner and by the task's registered name, what differs from the learner's defaults."""


@dataclass(frozen=True)
class Recommended:
    """Settings of a learner, which can also be had ready-made for a task."""

    @classmethod
    def for_task(cls: type[Kind], task: Task | str, **changes: Any) -> Kind:
        """Those that are known to learn a task (see `RECOMMENDED`), with `changes`.

        The task is handed over or told by its registered name, in either way with any options. For
        a task that there are none for they are the defaults.
        """
        known = RECOMMENDED[cls.__name__]
        names = [split_name(task)[0]] if isinstance(task, str) else registered_names(type(task))
        found = next((known[name] for name in names if name in known), {})
        return cls(**{**found, **changes})
