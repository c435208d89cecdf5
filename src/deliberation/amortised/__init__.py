"""Amortised optimisation: functions learned beforehand and evaluated in one forward pass."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .actor_critic import ActorCritic
    from .answer_policy import AnswerPolicy, answer_network
    from .data import (
        Dataset,
        augment,
        collect,
        draw_actions,
        image,
        random_images,
        random_positions,
    )
    from .dqn import DQN, train_dqn
    from .files import PolicyInfo, load_network, save_network
    from .fitting import Fit, fit_loss
    from .gaussian import GaussianMLP, GaussianPolicy
    from .imitation import (
        DivergedError,
        Fitted,
        Losses,
        check_losses,
        cosine,
        fit,
        init_optimiser,
        loss,
        make_optimiser,
        train_steps,
        training_cost,
    )
    from .inference_network import fit_inference
    from .look_up import tabulate
    from .networks import MLP, Network, ResidualConvolution, flops, network_from_config
    from .next_token import fit_next_token, token_losses
    from .objective_based import fit_objective
    from .policy import NetworkPolicy, check_fits, evaluate, masked_softmax
    from .ppo import PPO, train_ppo
    from .q_learning import train_q_learning
    from .recurrent import RecurrentMLP
    from .regression import Answers, collect_answers, fit_answers
    from .reinforce import Reinforce, train_reinforce
    from .sarsa import train_sarsa
    from .state_table import StateTable
    from .successor import SuccessorPolicy, train_successor
    from .table_policy import TablePolicy
    from .tabular import Tabular
    from .training import TrainingDivergedError, run_updates
    from .transformer import Transformer

_HOMES = {
    "ActorCritic": "actor_critic",
    "AnswerPolicy": "answer_policy",
    "Answers": "regression",
    "DQN": "dqn",
    "Dataset": "data",
    "DivergedError": "imitation",
    "Fit": "fitting",
    "Fitted": "imitation",
    "GaussianMLP": "gaussian",
    "GaussianPolicy": "gaussian",
    "Losses": "imitation",
    "MLP": "networks",
    "Network": "networks",
    "NetworkPolicy": "policy",
    "PPO": "ppo",
    "PolicyInfo": "files",
    "RecurrentMLP": "recurrent",
    "Reinforce": "reinforce",
    "ResidualConvolution": "networks",
    "StateTable": "state_table",
    "SuccessorPolicy": "successor",
    "TablePolicy": "table_policy",
    "Tabular": "tabular",
    "TrainingDivergedError": "training",
    "Transformer": "transformer",
    "answer_network": "answer_policy",
    "augment": "data",
    "check_fits": "policy",
    "check_losses": "imitation",
    "collect": "data",
    "collect_answers": "regression",
    "cosine": "imitation",
    "draw_actions": "data",
    "evaluate": "policy",
    "fit": "imitation",
    "fit_answers": "regression",
    "fit_inference": "inference_network",
    "fit_loss": "fitting",
    "fit_next_token": "next_token",
    "fit_objective": "objective_based",
    "flops": "networks",
    "image": "data",
    "init_optimiser": "imitation",
    "load_network": "files",
    "loss": "imitation",
    "make_optimiser": "imitation",
    "masked_softmax": "policy",
    "network_from_config": "networks",
    "random_images": "data",
    "random_positions": "data",
    "run_updates": "training",
    "save_network": "files",
    "tabulate": "look_up",
    "token_losses": "next_token",
    "train_dqn": "dqn",
    "train_ppo": "ppo",
    "train_q_learning": "q_learning",
    "train_reinforce": "reinforce",
    "train_sarsa": "sarsa",
    "train_steps": "imitation",
    "train_successor": "successor",
    "training_cost": "imitation",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
