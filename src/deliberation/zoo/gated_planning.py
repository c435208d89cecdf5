"""Gated planning: one forward pass, and search only where it is expected to pay."""

import jax
from jaxtyping import Array, Key

from ..amortised import NetworkPolicy
from ..core.task import Task
from ..direct import Gumbel, NoEvaluation, TreeSearch
from ..hybrid import Gated, fit_gates, guided_search
from ._taught import enough, solved_network
from .made import Made

ZOO = {
    "name": "gated_planning",
    "title": "Planning gated by its value",
    "kind": "hybrid",
    "items": [21, 37],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}},
    "source": "Keramati et al. 2011; Russell and Wefald 1991",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The network imitates exact answers, and the gate learns from what search gained on them."""
    first, then = jax.random.split(key)
    network, solution, spent = solved_network(task, effort, first)
    budget = {"smoke": 4}.get(effort, 64)
    planner = guided_search(task, network, budget=budget)
    states = solution.sample(min(32 if effort == "smoke" else 512, enough(solution)))
    gates, learning = fit_gates(task, network, planner, states, budget=budget, key=then)
    decider = Gated(network, planner, gates, cost=5e-4, budget=budget)
    alone = TreeSearch(task, Gumbel(noise=0.0), NoEvaluation(), budget=budget)
    return Made(decider, alone, NetworkPolicy(task, network), budget, spent + learning)
