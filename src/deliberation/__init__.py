"""Direct, amortised and hybrid optimisers, and the instruments that tell them apart.

Everything below is imported on first use, so that `import deliberation` is instant.
"""

from typing import TYPE_CHECKING

from .core.lazy import attach

if TYPE_CHECKING:
    from . import amortised, claims, core, direct, hybrid, report, runs, stats, tasks
    from .core.budget import Budget
    from .core.contract import check_decider, check_task
    from .core.decider import Decider, Decision
    from .core.ledger import Ledger
    from .core.objective import Objective, misere
    from .core.play import rollout
    from .core.task import Symmetry, Task, Traits
    from .hybrid import load
    from .tasks import list_tasks, make_task

__version__ = "0.1.0"

_SUBMODULES = (
    "amortised",
    "claims",
    "core",
    "direct",
    "hybrid",
    "report",
    "runs",
    "stats",
    "tasks",
)
_HOMES = {
    "Budget": "core.budget",
    "Decider": "core.decider",
    "Decision": "core.decider",
    "Ledger": "core.ledger",
    "Objective": "core.objective",
    "Symmetry": "core.task",
    "Task": "core.task",
    "Traits": "core.task",
    "check_decider": "core.contract",
    "check_task": "core.contract",
    "list_tasks": "tasks",
    "load": "hybrid",
    "make_task": "tasks",
    "misere": "core.objective",
    "rollout": "core.play",
    **{name: name for name in _SUBMODULES},
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
