"""A quantiliser: a random choice among the best tenth of what a learned policy would do."""

from jaxtyping import Array, Key

from ..amortised import NetworkPolicy
from ..core import UniformRandom
from ..core.task import Task
from ..direct import RandomRollouts
from ..hybrid import Quantiliser
from ._taught import solved_network
from .made import Made

ZOO = {
    "name": "quantiliser",
    "title": "Quantiliser over a learned policy",
    "kind": "hybrid",
    "items": [55],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}},
    "source": "Taylor 2016",
}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """The base policy imitates exact answers, at a temperature; utilities come from playouts."""
    network, _, spent = solved_network(task, effort, key)
    base = NetworkPolicy(task, network, greedy=False, temperature=2.0)
    budget = {"smoke": 9}.get(effort, 144)
    decider = Quantiliser(base, RandomRollouts(), q=0.1, budget=budget)
    alone = Quantiliser(UniformRandom(task), RandomRollouts(), q=0.1, budget=budget)
    return Made(decider, alone, base, budget, spent)
