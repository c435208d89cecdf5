"""Panels as a PNG file, for where no SVG can be shown: in the colours of the light."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure as Canvas

from ..runs.findings import Panel
from .figures import HEIGHT, WIDTH, Mark, draw_panel, settings
from .svg import PLACEHOLDERS

DOTS = 160
PAPER = dict(PLACEHOLDERS.values())["paper"]
COLOURED = ("color", "markeredgecolor", "markerfacecolor", "facecolor", "edgecolor")


def panels_png(panels: Sequence[tuple[Panel, Sequence[Mark]]]) -> bytes:
    """The panels side by side, each with what is marked in it."""
    with matplotlib.rc_context(settings()):
        size = (len(panels) * WIDTH / 72, HEIGHT / 72)
        canvas = Canvas(figsize=size, layout="constrained", facecolor=PAPER)
        FigureCanvasAgg(canvas)
        for number, (panel, marks) in enumerate(panels):
            axes = canvas.add_subplot(1, len(panels), number + 1, facecolor=PAPER)
            draw_panel(axes, panel, marks)
        for artist in canvas.findobj():
            _recolour(artist)
        out = io.BytesIO()
        canvas.savefig(out, format="png", dpi=DOTS, metadata={"Software": None})
    return out.getvalue()


def _recolour(artist: Any) -> None:
    """The colours that drawing uses as names, exchanged for those that they stand for."""
    for name in COLOURED:
        get: Callable[[], Any] | None = getattr(artist, f"get_{name}", None)
        put: Callable[[Any], None] | None = getattr(artist, f"set_{name}", None)
        if get is None or put is None:
            continue
        colours = get()
        if isinstance(colours, str) or _is_one(colours):
            if (fresh := _meant(colours)) is not None:
                put(fresh)
        elif len(colours) and all(_is_one(colour) for colour in colours):
            put([_meant(colour) or tuple(colour) for colour in colours])


def _is_one(colour: Any) -> bool:
    return (
        hasattr(colour, "__len__") and len(colour) in (3, 4) and not hasattr(colour[0], "__len__")
    )


def _meant(colour: Any) -> tuple[float, float, float, float] | None:
    if isinstance(colour, str) and colour in ("none", "auto"):
        return None
    told = PLACEHOLDERS.get(to_hex(colour))
    return None if told is None else to_rgba(told[1], to_rgba(colour)[3])
