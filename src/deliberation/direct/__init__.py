"""Direct optimisers: they search for an answer when asked, and learn nothing."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .evaluators import Evaluation, Evaluator, NoEvaluation, RandomRollouts
    from .history_search import HistorySearch
    from .planner import TreeSearch
    from .rules import PUCT, UCT, Gumbel, Rule
    from .sampled import FromBox, FromPrior, Proposal, Proposed, Sampling
    from .solver import ExactSolver, Solution, solve
    from .stopping import Decided, Never, Stopping, ValueOfComputation

_HOMES = {
    "Decided": "stopping",
    "Evaluation": "evaluators",
    "Evaluator": "evaluators",
    "ExactSolver": "solver",
    "FromBox": "sampled",
    "FromPrior": "sampled",
    "Gumbel": "rules",
    "HistorySearch": "history_search",
    "Never": "stopping",
    "NoEvaluation": "evaluators",
    "PUCT": "rules",
    "Proposal": "sampled",
    "Proposed": "sampled",
    "RandomRollouts": "evaluators",
    "Rule": "rules",
    "Sampling": "sampled",
    "Solution": "solver",
    "Stopping": "stopping",
    "TreeSearch": "planner",
    "UCT": "rules",
    "ValueOfComputation": "stopping",
    "solve": "solver",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
