"""The candidates that learn: from trial and error, from a search's answers, and by self-play.

What learns from a search is measured twice: its network alone, and the network searched with.
"""

import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..amortised import DQN, MLP, PPO, NetworkPolicy, Tabular, fit, train_dqn, train_ppo
from ..amortised import train_q_learning as train_table
from ..amortised.training.trained import Trained
from ..amortised.trial_and_error.recommended import RECOMMENDED
from ..core.clock import now
from ..core.errors import UnsuitableTaskError
from ..direct import CEM, TreeSearch
from ..hybrid import (
    ImitationSettings,
    PolicyPlans,
    Settings,
    guided_search,
    imitate_planner,
    save,
    train,
)
from ..tasks import registered_names
from .choosing import BOTH, LEARN
from .dials import Dial, Made, Making
from .planners import POPULATION, ahead
from .teaching import lessons

LOAD = "from deliberation import load"
ALONE = "load({policy}, task=task, search=False)"
SEARCHED = "load({policy}, task=task, budget={budget})"
UPDATES = 20
"""A training is stopped between updates: so many fit into its time at least, if steps allow."""
ACTIONS = 600_000
"""Actions that a table is learned from."""
MANY, CAPACITY = 20_000, 16_384
"""States beyond which a table is not tried, and those that it has room for."""
GUIDED = (4, 16, 64)
"""Simulations with a network."""


class Deadline:
    """Ends a training where its time is over, compiling left out; called after each update."""

    def __init__(self, making: Making):
        self.making, self.started = making, now()

    def __call__(self, step: int, seen: dict[str, float]) -> bool:
        """Whether to stop."""
        del step, seen
        return self.passed > min(self.making.seconds, 0.9 * self.making.most)

    @property
    def passed(self) -> float:
        """Seconds so far, compiling left out."""
        return now() - self.started


def q_learning(making: Making) -> Made:
    """A table of action values; refused where states hardly ever come back."""
    states = making.world["states"]
    if states > MANY:
        met = "never" if math.isinf(states) else f"as seldom as if there were {states:,.0f} states"
        raise UnsuitableTaskError(
            f"Random play met a position again {met}: a table would hardly know where it is."
        )
    settings = _tabular(making)
    deadline = Deadline(making)
    found = train_table(making.task, key=making.key, settings=settings, watch=deadline)
    told = (
        f"updates={_updates(found)}, environments=32, steps={settings.steps}, "
        f"decay={settings.decay}, capacity={CAPACITY}"
    )
    yield Dial(
        "Q-learning", LEARN, "Q-learning in a table", found.decider,
        "from deliberation.amortised import Tabular, train_q_learning",
        f"train_q_learning(task, key=jax.random.key({making.training}), settings=Tabular({told}"
        ")).decider",
        preparation=deadline.passed,
    )  # fmt: skip


def _tabular(making: Making) -> Tabular:
    each = 32 * making.world["step"]
    steps = int(np.clip(making.allowed / UPDATES / max(each, 1e-9), 16, 500))
    updates = int(np.clip(ACTIONS / (32 * steps), 4, 200))
    chance = not making.task.traits.deterministic or making.task.traits.players == 2
    return Tabular(
        updates=updates, environments=32, steps=steps, decay=0.6 if chance else 0.0,
        capacity=CAPACITY,
    )  # fmt: skip


def deep_q_learning(making: Making) -> Made:
    """Double DQN, by the settings known to learn the task or else by those for CartPole."""
    settings = DQN.for_task(making.task)
    round_of = settings.environments * settings.steps * making.world["step"]
    rounds = int(np.clip(making.allowed / UPDATES / max(round_of, 1e-9), 1, settings.rounds))
    settings = DQN.for_task(making.task, rounds=rounds)
    yield _trial_and_error(making, "DQN", "Deep Q-learning", train_dqn, settings)


def policy_gradient(making: Making) -> Made:
    """PPO, by the settings known to learn the task, or else on normalised observations."""
    task = making.task
    known = any(name in RECOMMENDED["PPO"] for name in registered_names(type(task)))
    more = {} if known else {"normalise_observations": True, "normalise_rewards": True}
    settings = PPO.for_task(task, **more)
    yield _trial_and_error(making, "PPO", "Policy gradient (PPO)", train_ppo, settings)


def _trial_and_error(
    making: Making, name: str, title: str, learn: Callable[..., Trained], settings: Any
) -> Dial:
    deadline = Deadline(making)
    found = learn(making.task, key=making.key, settings=settings, watch=deadline)
    return _alone(making, name, LEARN, title, found, deadline.passed, settings.updates)


def _alone(
    making: Making, name: str, kind: str, title: str, found: Trained, seconds: float, updates: int
) -> Dial:
    """A trained policy by itself."""
    done = _updates(found)
    note = f"stopped after {done} of {updates} updates" if done < updates else ""
    return Dial(
        name, kind, title, found.decider, LOAD, ALONE, preparation=seconds,
        policy=_kept(making, name, found), note=note,
    )  # fmt: skip


def _kept(making: Making, name: str, found: Trained) -> Path:
    folder = making.folder / name.replace(" ", "_")
    save(folder, found)
    return folder


def _updates(found: Trained) -> int:
    return len(next(iter(found.metrics.values())))


def imitation(making: Making) -> Made:
    """A network fitted to a tree search's answers in positions of play; alone, and as its guide."""
    task, started = making.task, now()
    data = lessons(TreeSearch(task, "uct"), making)
    first, then = jax.random.split(making.key)
    low, high = task.objective.bounds
    bounds = (low, high) if np.isfinite(high - low) else None
    shape = data.observations.shape[1:]
    network = MLP(shape, task.traits.actions, 128, 2, value_range=bounds, key=first)
    found = fit(task, network, data, steps=1500, key=then, learning_rate=3e-3)
    yield from _with_network(making, "imitation", "Imitation of a search", found, now() - started)


def _with_network(making: Making, name: str, title: str, found: Trained, seconds: float) -> Made:
    """The network alone, and searched with at a few budgets."""
    task, policy = making.task, _kept(making, name, found)
    yield Dial(
        f"{name} network", LEARN, f"{title}: the network alone",
        NetworkPolicy(task, found.network), LOAD, ALONE, preparation=seconds, policy=policy,
    )  # fmt: skip
    yield Dial(
        f"{name} + search", BOTH, f"{title}: the network guides a search",
        guided_search(task, found.network), LOAD, SEARCHED, budgets=GUIDED,
        preparation=seconds, policy=policy,
    )  # fmt: skip


def expert_iteration(making: Making) -> Made:
    """Search teaches a network that guides the search, by self-play."""
    settings = Settings(
        network={"kind": "mlp", "width": 128, "depth": 2}, lanes=32, plies=8,
        warmup_simulations=64, simulations=16, batch_size=128, passes=4.0, learning_rate=3e-3,
    )  # fmt: skip
    iterations = int(np.clip(2 * making.allowed, 8, 120))
    clock = _Iterations(making)
    found = train(
        making.task, iterations=iterations, seed=making.training, settings=settings, workers=1,
        watch=clock,
    )  # fmt: skip
    made = Trained(NetworkPolicy(making.task, found.network), found.network, found.ledger, {})
    yield from _with_network(making, "expert iteration", "Expert iteration", made, clock.passed)


class _Iterations(Deadline):
    """Seconds of iterations, of which those that compiled count as the others: they run elsewhere,
    in threads whose compiling the clock does not see."""

    def __init__(self, making: Making):
        super().__init__(making)
        self.ends = [time.monotonic()]

    def __call__(self, step: int, seen: dict[str, float]) -> bool:
        self.ends.append(time.monotonic())
        return super().__call__(step, seen)

    @property
    def passed(self) -> float:
        each = np.diff(self.ends)
        if not len(each):
            return 0.0
        return float(np.minimum(each, 3 * statistics.median(each)).sum())


def plan_imitation(making: Making) -> Made:
    """A continuous policy that imitates a planner; alone, and as what the planner begins from."""
    task = making.task
    options, written = ahead(task)
    planner = CEM(task, population=POPULATION, **options)  # type: ignore[arg-type]
    settings = ImitationSettings(updates=24, steps=25, simulations=32, fits=80, hasty=True)
    deadline = Deadline(making)
    found = imitate_planner(planner, key=making.key, settings=settings, watch=deadline)
    alone = _alone(
        making, "imitation network", LEARN, "Imitation of a planner: the policy alone", found,
        deadline.passed, settings.updates,
    )  # fmt: skip
    yield alone
    plans = PolicyPlans(network=found.network)
    yield Dial(
        "imitation + planning", BOTH, "Imitation of a planner: the policy begins the plans",
        CEM(task, population=POPULATION, proposals=plans, **options),  # type: ignore[arg-type]
        LOAD,
        f"load({{policy}}, task=task, budget={{budget}}, population={POPULATION}, {written})",
        budgets=(8, 32), preparation=deadline.passed, policy=alone.policy,
    )  # fmt: skip
