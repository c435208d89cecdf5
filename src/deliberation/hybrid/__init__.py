"""Hybrids: search guided by networks, and expert iteration. The only place that sees both sides."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .expert_iteration import Trained, train
    from .guide import NetworkGuide
    from .guided import guided_search, load
    from .self_play import Games, self_play
    from .settings import Settings

_HOMES = {
    "Games": "self_play",
    "NetworkGuide": "guide",
    "Settings": "settings",
    "Trained": "expert_iteration",
    "guided_search": "guided",
    "load": "guided",
    "self_play": "self_play",
    "train": "expert_iteration",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
