"""Amortised optimisation: functions learned beforehand and evaluated in one forward pass."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .actor_critic import ActorCritic
    from .answers import AnswerPolicy, answer_network
    from .data import (
        Dataset,
        augment,
        collect,
        draw_actions,
        image,
        random_images,
        random_positions,
    )
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
    from .networks import MLP, Network, ResidualConvolution, flops, network_from_config
    from .next_token import fit_next_token, token_losses
    from .objective_based import fit_objective
    from .policy import NetworkPolicy, check_fits, evaluate, masked_softmax
    from .ppo import PPO, train_ppo
    from .regression import Answers, collect_answers, fit_answers
    from .training import TrainingDivergedError, run_updates
    from .transformer import Transformer

_HOMES = {
    "ActorCritic": "actor_critic",
    "AnswerPolicy": "answers",
    "Answers": "regression",
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
    "ResidualConvolution": "networks",
    "TrainingDivergedError": "training",
    "Transformer": "transformer",
    "answer_network": "answers",
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
    "token_losses": "next_token",
    "train_ppo": "ppo",
    "train_steps": "imitation",
    "training_cost": "imitation",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
