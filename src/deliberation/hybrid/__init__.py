"""Hybrids: search guided by networks, and expert iteration. The only place that sees both sides."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .expert_iteration import Trained, train
    from .games import Games, self_play
    from .guide import NetworkGuide
    from .guided import guided_search, load
    from .settings import Settings

_HOMES = {
    "Games": "games",
    "NetworkGuide": "guide",
    "Settings": "settings",
    "Trained": "expert_iteration",
    "guided_search": "guided",
    "load": "guided",
    "self_play": "games",
    "train": "expert_iteration",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
