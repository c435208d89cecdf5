"""MC-AIXI-CTW: a mixture over context trees, learned from birth, and search in it."""

import dataclasses

import jax
from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import MCAIXI, learn
from ..tasks.tiger import Tiger
from ._entry import Made

ZOO = {
    "name": "mc_aixi_ctw",
    "title": "AIXI, approximated (MC-AIXI-CTW)",
    "kind": "direct",
    "items": [12],
    "tasks": {"biased_rps": {"horizon": 40}, "tiger": {"horizon": 20}},
    "source": "Veness, Ng, Hutter, Uther and Silver 2011",
}

_CYCLES = {"smoke": 400, "quick": 4000, "full": 10_000}
_SIMULATIONS = {"smoke": 25, "quick": 100, "full": 300}
_NODES = {"smoke": 1 << 14, "quick": 1 << 17, "full": 1 << 18}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """A life of some thousand cycles, exploring less and less; then it plays on from what it knows.

    Without what it learned it is newborn, and without search it plays at random.
    """
    cycles = _CYCLES[effort]
    horizon, depth = (5, 30) if isinstance(task, Tiger) else (4, 32)
    agent = MCAIXI(
        task,
        horizon=horizon,
        depth=depth,
        budget=_SIMULATIONS[effort],
        life=cycles + 2 * task.traits.horizon + 2,
        capacity=_NODES[effort],
        c=0.3,
    )
    # One long episode: a life is not interrupted by the task's clock.
    world = dataclasses.replace(task, horizon=cycles + 1)  # type: ignore[type-var]
    early, late = jax.random.split(key)
    young = learn(agent, world, cycles // 2, early, epsilon=1.0)
    grown = learn(
        agent, world, cycles // 2, late, since=young, epsilon=0.9, gamma=0.05 ** (2 / cycles)
    )
    decider = agent.with_experience(grown.memory)
    return Made(decider, searching=agent, budget=agent.budget, trained=young.spent + grown.spent)
