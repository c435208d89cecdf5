"""Direct optimisers: they search for an answer when asked; no function is learned beforehand.

What an agent infers from its own history (a mixture, a belief, a tree) it carries in its memory.
"""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from ._reach import enumerate_states
    from .alpha_beta import AlphaBeta
    from .bayes_mixture import BayesMixture
    from .beam import BeamSearch
    from .belief_planning import BeliefPlanning
    from .beliefs import belief_return
    from .best_first import BestFirst, Pruning, pruned_best_first
    from .best_of_n import BestOfN
    from .best_replies import HistoryTree, exploitability, list_histories
    from .best_return import return_against_random
    from .context_tree import ContextTree
    from .cross_entropy import CEM
    from .dynamic_programming import Table, optimal_return, policy_iteration, value_iteration
    from .evaluators import Evaluation, Evaluator, NoEvaluation, RandomRollouts
    from .gradient_descent import GradientDescent
    from .gradient_planning import GradientPlanning
    from .history_search import HistorySearch
    from .mc_aixi import MCAIXI
    from .mc_aixi_learning import Lifetime, learn
    from .path_integral import MPPI
    from .percepts import Percepts
    from .plan_search import PlanSearch
    from .planner import TreeSearch
    from .plans import PlanProposals, ProposedPlans
    from .random_shooting import RandomShooting
    from .rules import PUCT, UCT, Gumbel, Rule
    from .sampled import FromBox, FromPrior, Proposal, Proposed, Sampling
    from .solver import ExactSolver, Solution, solve
    from .stopping import Decided, Never, Stopping, ValueOfComputation
    from .tabular import DynamicProgramming

_HOMES = {
    "BayesMixture": "bayes_mixture",
    "BeliefPlanning": "belief_planning",
    "list_histories": "best_replies",
    "exploitability": "best_replies",
    "HistoryTree": "best_replies",
    "AlphaBeta": "alpha_beta",
    "DynamicProgramming": "tabular",
    "CEM": "cross_entropy",
    "GradientPlanning": "gradient_planning",
    "MPPI": "path_integral",
    "PlanSearch": "plan_search",
    "PlanProposals": "plans",
    "ProposedPlans": "plans",
    "RandomShooting": "random_shooting",
    "enumerate_states": "_reach",
    "belief_return": "beliefs",
    "value_iteration": "dynamic_programming",
    "policy_iteration": "dynamic_programming",
    "optimal_return": "dynamic_programming",
    "Table": "dynamic_programming",
    "BeamSearch": "beam",
    "BestFirst": "best_first",
    "BestOfN": "best_of_n",
    "ContextTree": "context_tree",
    "Decided": "stopping",
    "Evaluation": "evaluators",
    "Evaluator": "evaluators",
    "ExactSolver": "solver",
    "FromBox": "sampled",
    "FromPrior": "sampled",
    "GradientDescent": "gradient_descent",
    "Gumbel": "rules",
    "HistorySearch": "history_search",
    "Lifetime": "mc_aixi_learning",
    "MCAIXI": "mc_aixi",
    "Never": "stopping",
    "NoEvaluation": "evaluators",
    "PUCT": "rules",
    "Percepts": "percepts",
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
    "learn": "mc_aixi_learning",
    "pruned_best_first": "best_first",
    "return_against_random": "best_return",
    "solve": "solver",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
