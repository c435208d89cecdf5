"""MuZero: search in a learned world, by networks that the search teaches."""

from dataclasses import replace

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import Gumbel, NoEvaluation, TreeSearch
from ..hybrid import MuZero, MuZeroSettings, train_muzero
from .made import Made

ZOO = {
    "name": "muzero",
    "title": "MuZero",
    "kind": "hybrid",
    "items": [20, 14],
    "tasks": {"tic_tac_toe": {}, "frozen_lake": {"slip": 0.0}, "cartpole": {"horizon": 200}},
    "source": "Schrittwieser et al. 2020; Danihelka et al. 2022",
}
_UPDATES = {"smoke": (4, 4), "quick": (250, 80), "full": (600, 200)}
"""For two players and for one."""


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Without what was learned, the same search by the rules, which judges nothing."""
    two = task.traits.players == 2
    settings = MuZeroSettings(width=128, latent=64) if two else MuZeroSettings(lanes=32)
    updates = _UPDATES[effort][0 if two else 1]
    settings = replace(settings, updates=updates, hasty=effort == "smoke")
    found = train_muzero(task, key=key, settings=settings)
    decider = found.decider
    budget = {"smoke": 8, "quick": 32, "full": 64}[effort]
    rules = TreeSearch(task, Gumbel(noise=0.0), NoEvaluation(), budget=budget)
    alone = MuZero(task, decider.networks, gamma=decider.gamma, scale=decider.scale, budget=0)
    return Made(decider, rules, alone, budget, found.ledger)
