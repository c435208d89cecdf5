"""MC-AIXI-CTW: a mixture over context trees, learned from birth, and search in it."""

import dataclasses

import jax
from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import MCAIXI, learn
from ..tasks.hidden.tiger import Tiger
from .made import Made

ZOO = {
    "name": "mc_aixi_ctw",
    "title": "AIXI, approximated (MC-AIXI-CTW)",
    "kind": "direct",
    "items": [12],
    "tasks": {"biased_rps": {"horizon": 40}, "tiger": {"horizon": 20}},
    "source": "Veness, Ng, Hutter, Uther and Silver 2011",
}

_CYCLES = {"smoke": 400, "quick": 4000, "full": 10_000}
_GROWING = {"smoke": 25, "quick": 100, "full": 100}
_SIMULATIONS = {"smoke": 25, "quick": 500, "full": 1000}
_NODES = {"smoke": 1 << 14, "quick": 1 << 17, "full": 1 << 18}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """A life of some thousand cycles, exploring less and less; then it plays on from what it knows.

    Without what it learned it is newborn, and without search it plays at random.
    """
    cycles = _CYCLES[effort]
    # Random play behind the tiger's doors hides what listening is worth: it explores the more.
    horizon, depth, c = (5, 30, 1.0) if isinstance(task, Tiger) else (4, 32, 0.3)
    agent = MCAIXI(
        task,
        horizon=horizon,
        depth=depth,
        budget=_SIMULATIONS[effort],
        life=cycles + 2 * task.traits.horizon + 2,
        capacity=_NODES[effort],
        c=c,
    )
    # One long episode: a life is not interrupted by the task's clock.
    world = dataclasses.replace(task, horizon=cycles + 1)  # type: ignore[type-var]
    early, late = jax.random.split(key)
    young = learn(agent, world, cycles // 2, early, epsilon=1.0)
    grown = learn(
        agent, world, cycles // 2, late, since=young, budget=_GROWING[effort],
        epsilon=0.9, gamma=0.05 ** (2 / cycles),
    )  # fmt: skip
    decider = agent.with_experience(grown.memory)
    return Made(decider, searching=agent, budget=agent.budget, trained=young.spent + grown.spent)
