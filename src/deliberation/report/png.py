"""Panels as a PNG file, for where no SVG can be shown: in the colours of the light."""

import io
from collections.abc import Sequence

from ..core.display.drawing import Mark
from ..core.display.figures import DOTS, figure_of
from ..core.display.panels import Panel


def panels_png(panels: Sequence[tuple[Panel, Sequence[Mark]]]) -> bytes:
    """The panels side by side, each with what is marked in it."""
    out = io.BytesIO()
    figure = figure_of(panels, columns=len(panels))
    figure.savefig(out, format="png", dpi=DOTS, metadata={"Software": None})
    return out.getvalue()
