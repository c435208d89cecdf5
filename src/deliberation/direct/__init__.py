"""Direct optimisers: they search for an answer when asked, and learn nothing."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .beam import BeamSearch
    from .best_first import BestFirst, Pruning, pruned_best_first
    from .evaluators import Evaluation, Evaluator, NoEvaluation, RandomRollouts
    from .gradient_descent import GradientDescent
    from .history_search import HistorySearch
    from .planner import TreeSearch
    from .rules import PUCT, UCT, Gumbel, Rule
    from .sampled import FromBox, FromPrior, Proposal, Proposed, Sampling
    from .solver import ExactSolver, Solution, solve
    from .stopping import Decided, Never, Stopping, ValueOfComputation

_HOMES = {
    "BeamSearch": "beam",
    "BestFirst": "best_first",
    "Decided": "stopping",
    "Evaluation": "evaluators",
    "Evaluator": "evaluators",
    "ExactSolver": "solver",
    "FromBox": "sampled",
    "FromPrior": "sampled",
    "GradientDescent": "gradient_descent",
    "Gumbel": "rules",
    "HistorySearch": "history_search",
    "Never": "stopping",
    "NoEvaluation": "evaluators",
    "PUCT": "rules",
    "Proposal": "sampled",
    "Proposed": "sampled",
    "Pruning": "best_first",
    "RandomRollouts": "evaluators",
    "Rule": "rules",
    "Sampling": "sampled",
    "Solution": "solver",
    "Stopping": "stopping",
    "TreeSearch": "planner",
    "UCT": "rules",
    "ValueOfComputation": "stopping",
    "pruned_best_first": "best_first",
    "solve": "solver",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
