"""The nouns: task, objective, decider, decision, budget, ledger, rollout, and their contracts."""

from typing import TYPE_CHECKING

from .lazy import attach

if TYPE_CHECKING:
    from .budget import Budget
    from .contract import check_decider, check_task
    from .decider import Decider, Decision
    from .ledger import Ledger
    from .objective import Objective, misere
    from .play import Episodes, rollout
    from .task import Symmetry, Task, Traits
    from .uniform import UniformRandom

_HOMES = {
    "Budget": "budget",
    "Decider": "decider",
    "Decision": "decider",
    "Episodes": "play",
    "Ledger": "ledger",
    "Objective": "objective",
    "Symmetry": "task",
    "Task": "task",
    "Traits": "task",
    "UniformRandom": "uniform",
    "check_decider": "contract",
    "check_task": "contract",
    "misere": "objective",
    "rollout": "play",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
