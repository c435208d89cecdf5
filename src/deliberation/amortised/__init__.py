"""Amortised optimisation: functions learned beforehand and evaluated in one forward pass."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
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
    from .networks import MLP, Network, ResidualConvolution, flops, network_from_config
    from .policy import NetworkPolicy, check_fits, evaluate, masked_softmax
    from .training import TrainingDivergedError, run_updates

_HOMES = {
    "Dataset": "data",
    "DivergedError": "imitation",
    "Fitted": "imitation",
    "Losses": "imitation",
    "MLP": "networks",
    "Network": "networks",
    "NetworkPolicy": "policy",
    "PolicyInfo": "files",
    "ResidualConvolution": "networks",
    "TrainingDivergedError": "training",
    "augment": "data",
    "check_fits": "policy",
    "check_losses": "imitation",
    "collect": "data",
    "cosine": "imitation",
    "draw_actions": "data",
    "evaluate": "policy",
    "fit": "imitation",
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
    "train_steps": "imitation",
    "training_cost": "imitation",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
