"""Shows what was measured: reads records and findings, runs nothing."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .figures import standalone_svg
    from .folder import build, findings, provenance
    from .html import page
    from .terminal import show

_HOMES = {
    "build": "folder",
    "findings": "folder",
    "page": "html",
    "provenance": "folder",
    "show": "terminal",
    "standalone_svg": "figures",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
