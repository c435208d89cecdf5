"""Expert iteration: search teaches the network, and the network guides the search."""

import jax
from jaxtyping import Array, Key

from ..amortised import NetworkPolicy
from ..core.task import Task
from ..direct import Gumbel, NoEvaluation, TreeSearch
from ..hybrid import Settings, train
from .made import Made

ZOO = {
    "name": "expert_iteration",
    "title": "Expert iteration",
    "kind": "hybrid",
    "items": [19, 40, 41],
    "tasks": {"tic_tac_toe": {}, "connect_3_4x4": {}, "connect_four": {}},
    "source": "Anthony et al. 2017; Silver et al. 2017",
}
_ITERATIONS = {"smoke": 3, "quick": 40, "full": 200}


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Without the network, the same search knows no prior and no values."""
    settings = Settings(
        network={"kind": "mlp", "width": 128, "depth": 2}, lanes=32 if effort == "smoke" else 64,
        plies=8, warmup_simulations=16 if effort == "smoke" else 100, simulations=16,
        batch_size=128, passes=4.0, learning_rate=3e-3,
    )  # fmt: skip
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    trained = train(task, iterations=_ITERATIONS[effort], seed=seed, settings=settings, workers=1)
    budget = {"smoke": 8, "quick": 64, "full": 128}[effort]
    alone = TreeSearch(task, Gumbel(noise=0.0), NoEvaluation(), budget=budget)
    learned = NetworkPolicy(task, trained.network)
    return Made(trained.decider, alone, learned, budget, trained.ledger)
