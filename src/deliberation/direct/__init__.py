"""Direct optimisers: they search for an answer when asked, and learn nothing."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .evaluators import Evaluation, Evaluator, NoEvaluation, RandomRollouts
    from .history_search import HistorySearch
    from .planner import TreeSearch
    from .rules import PUCT, UCT, Gumbel, Rule
    from .solver import ExactSolver, Solution, solve

_HOMES = {
    "Evaluation": "evaluators",
    "Evaluator": "evaluators",
    "ExactSolver": "solver",
    "Gumbel": "rules",
    "HistorySearch": "history_search",
    "NoEvaluation": "evaluators",
    "PUCT": "rules",
    "RandomRollouts": "evaluators",
    "Rule": "rules",
    "Solution": "solver",
    "TreeSearch": "planner",
    "UCT": "rules",
    "solve": "solver",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
