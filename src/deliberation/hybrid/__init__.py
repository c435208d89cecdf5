"""Hybrids: search guided by networks, and expert iteration. The only place that sees both sides."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .dyna import DynaQ, DynaSettings, train_dyna
    from .expert_iteration import Trained, train
    from .games import Games, self_play
    from .gated import Gated
    from .gates import Gate, GaussianGate, fit_gates
    from .guide import NetworkGuide
    from .guided import guided_search, load
    from .habits import Habit, TableHabit, ValueNetworkHabit
    from .latent import LatentNetworks, LatentTask
    from .learned_model import Ensemble, LearnedModel, OnObservations
    from .mpc import LearnedModelMPC, MPCSettings, train_mpc
    from .muzero import MuZero, MuZeroSettings, train_muzero
    from .plan_until_habit import PlanUntilHabit
    from .planner_imitation import ImitationSettings, imitate_planner
    from .policy_best_of_n import best_of_policy
    from .policy_plans import PolicyPlans
    from .quantiliser import Quantiliser, quantilise
    from .semi_amortised import SemiAmortised, fit_through
    from .settings import Settings
    from .value_pruning import (
        PruningMeasured,
        measure_pruning,
        value_pruned,
        value_pruned_best_first,
    )

_HOMES = {
    "ImitationSettings": "planner_imitation",
    "PolicyPlans": "policy_plans",
    "imitate_planner": "planner_imitation",
    "Gate": "gates",
    "Gated": "gated",
    "GaussianGate": "gates",
    "Habit": "habits",
    "PlanUntilHabit": "plan_until_habit",
    "PruningMeasured": "value_pruning",
    "Quantiliser": "quantiliser",
    "TableHabit": "habits",
    "ValueNetworkHabit": "habits",
    "best_of_policy": "policy_best_of_n",
    "fit_gates": "gates",
    "measure_pruning": "value_pruning",
    "quantilise": "quantiliser",
    "value_pruned": "value_pruning",
    "value_pruned_best_first": "value_pruning",
    "DynaQ": "dyna",
    "DynaSettings": "dyna",
    "Ensemble": "learned_model",
    "Games": "games",
    "LatentNetworks": "latent",
    "LatentTask": "latent",
    "LearnedModel": "learned_model",
    "LearnedModelMPC": "mpc",
    "MPCSettings": "mpc",
    "MuZero": "muzero",
    "MuZeroSettings": "muzero",
    "NetworkGuide": "guide",
    "OnObservations": "learned_model",
    "SemiAmortised": "semi_amortised",
    "Settings": "settings",
    "Trained": "expert_iteration",
    "fit_through": "semi_amortised",
    "guided_search": "guided",
    "load": "guided",
    "self_play": "games",
    "train": "expert_iteration",
    "train_dyna": "dyna",
    "train_mpc": "mpc",
    "train_muzero": "muzero",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
