"""Hybrids: search guided by networks, and expert iteration. The only place that sees both sides."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .expert_iteration import Trained, train
    from .games import Games, self_play
    from .guide import NetworkGuide
    from .guided import guided_search, load
    from .latent import LatentNetworks, LatentTask
    from .muzero import MuZero, MuZeroSettings, train_muzero
    from .semi_amortised import SemiAmortised, fit_through
    from .settings import Settings

_HOMES = {
    "Games": "games",
    "LatentNetworks": "latent",
    "LatentTask": "latent",
    "MuZero": "muzero",
    "MuZeroSettings": "muzero",
    "NetworkGuide": "guide",
    "SemiAmortised": "semi_amortised",
    "Settings": "settings",
    "Trained": "expert_iteration",
    "fit_through": "semi_amortised",
    "guided_search": "guided",
    "load": "guided",
    "self_play": "games",
    "train": "expert_iteration",
    "train_muzero": "muzero",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
