"""Panels as a figure of matplotlib, which a notebook shows and a script saves."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure as Canvas

from .drawing import HEIGHT, WIDTH, Mark, draw_panel, settings
from .palette import PLACEHOLDERS
from .panels import Panel

COLUMNS = 2
SHADES = 64
"""So many colours has a picture that is kept in a notebook."""
DOTS, IN_NOTEBOOK = 160, 110
"""Dots an inch of a file, and of a picture in a notebook, which is kept there."""
PAPER = dict(PLACEHOLDERS.values())["paper"]
COLOURED = ("color", "markeredgecolor", "markerfacecolor", "facecolor", "edgecolor")


class Shown(Canvas):
    """A figure that stands in a notebook by itself: pyplot knows nothing of it.

    Everything else is matplotlib's: `savefig`, `axes`, `set_size_inches`.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture, in few colours so that it takes little room, and its size in pixels."""
        from PIL import Image

        drawn, out = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=IN_NOTEBOOK)
        Image.open(drawn).convert("RGB").quantize(SHADES).save(out, "png", optimize=True)
        wide, high = (round(72 * inches) for inches in self.get_size_inches())
        return out.getvalue(), {"width": wide, "height": high}


def figure_of(
    panels: Sequence[tuple[Panel, Sequence[Mark]] | Panel], columns: int = COLUMNS
) -> Shown:
    """The panels beside and below each other, each with what is marked in it, on light paper."""
    pairs = [(one, ()) if isinstance(one, Panel) else one for one in panels]
    across = max(1, min(columns, len(pairs)))
    down = max(1, -(-len(pairs) // across))
    with matplotlib.rc_context(settings()):
        size = (across * WIDTH / 72, down * HEIGHT / 72)
        canvas = Shown(figsize=size, dpi=DOTS, layout="constrained", facecolor=PAPER)
        FigureCanvasAgg(canvas)
        for number, (panel, marks) in enumerate(pairs):
            axes = canvas.add_subplot(down, across, number + 1, facecolor=PAPER)
            draw_panel(axes, panel, marks)
        for artist in canvas.findobj():
            # What a map of colours gives is no name.
            if getattr(artist, "get_array", lambda: None)() is None:
                _recolour(artist)
            if behind := getattr(artist, "get_bbox_patch", lambda: None)():
                _recolour(behind)  # behind a text: no child of anything
    return canvas


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
