"""Draws the figures of findings as SVG: one picture a panel, so that a page can stack them."""

import io
import warnings
from collections.abc import Sequence

from ..core.display.drawing import HEIGHT, WIDTH, Mark, draw_panel, settings
from ..core.display.panels import Figure, Panel
from .svg import adapt, standalone


def figure_svgs(figure: Figure, prefix: str) -> list[str]:
    """One SVG element a panel; `prefix` makes ids unique within a page."""
    return [
        panel_svg(panel, f"{prefix}-p{index}", figure.alternative or figure.title)
        for index, panel in enumerate(figure.panels)
    ]


def standalone_svg(figure: Figure, prefix: str = "figure") -> str:
    """The whole figure as the text of one SVG file."""
    return standalone(figure_svgs(figure, prefix))


def panel_svg(panel: Panel, prefix: str, alternative: str, marks: Sequence[Mark] = ()) -> str:
    """One panel as an SVG element that follows the page's colours and fonts."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(settings()):
        canvas = Canvas(figsize=(WIDTH / 72, HEIGHT / 72), layout="constrained")
        FigureCanvasSVG(canvas)
        draw_panel(canvas.add_subplot(), panel, marks)
        out = io.StringIO()
        with warnings.catch_warnings():
            # Text stays text, in the reader's fonts: what matplotlib's lacks is no loss.
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            canvas.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    title = panel.title or panel.y_label
    return adapt(out.getvalue(), prefix=prefix, title=title, description=alternative)
