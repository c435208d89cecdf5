"""Draws panels on the axes of matplotlib, in colours that are names (see `palette`)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .axes import name_ticks, positions, set_ticks
from .palette import NAMES
from .panels import Heat, Panel, Series

WIDTH, HEIGHT = 400, 300
"""The canvas of a panel in CSS pixels; a page scales it to the room there is."""

STYLES = [
    (NAMES["s1"], "o", "-"),
    (NAMES["s2"], "s", "-"),
    (NAMES["s3"], "^", "-"),
    (NAMES["s4"], "D", "-"),
    (NAMES["s5"], "v", (0, (5, 2))),
    (NAMES["s6"], "P", (0, (5, 2))),
    (NAMES["s7"], "X", (0, (5, 2))),
    (NAMES["s8"], "<", (0, (5, 2))),
]
"""Colour, marker and line together tell series apart, so that colour is never alone."""

HEAT = ["#0f2f52", "#1d5a86", "#3f8fa3", "#8fc1b0", "#f1e9c8"]
"""From low to high, of steadily rising lightness: readable without colour."""

HEAT_SHADOW = "#0b1a2b"

FONT = 11.0

_CLEAR: dict[str, Any] = {
    "bbox": {"facecolor": NAMES["paper"], "edgecolor": "none", "pad": 0.8}, "zorder": 1.8
}  # fmt: skip
"""A label in the middle of a figure hides the grid behind it, and no line that was measured."""

BAR = 0.7
"""How wide a bar is, where the next stands 1 beside it."""

CROWDED = 16
"""A line of more points is drawn without markers, and points are small: they would run into each
other."""


class Mark(NamedTuple):
    """A point of a panel that is named: where two lines cross, say.

    Without a height (y NaN) it is a limit: a dashed line from bottom to top.
    """

    x: float
    y: float
    label: str


def settings() -> Any:
    """What matplotlib is told before anything is drawn."""
    ink, muted, rule = NAMES["ink"], NAMES["muted"], NAMES["rule"]
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "deliberation",
        "font.size": FONT,
        "font.family": "DejaVu Sans",
        "text.color": ink,
        "text.parse_math": False,  # names of others hold what they hold: "$5", "a_b$"
        "axes.edgecolor": rule,
        "axes.labelcolor": muted,
        "axes.labelsize": FONT,
        "axes.titlecolor": ink,
        "axes.titlesize": FONT + 1.5,
        "axes.titleweight": "bold",
        "axes.unicode_minus": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": rule,
        "ytick.color": rule,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "xtick.labelsize": FONT,
        "ytick.labelsize": FONT,
        "grid.color": rule,
        "grid.linewidth": 0.8,
        "legend.fontsize": FONT,
        "legend.frameon": False,
    }


def draw_panel(axes: Any, panel: Panel, marks: Sequence[Mark] = ()) -> None:
    """A panel and what is marked in it, in colours that are names (see `palette.PLACEHOLDERS`)."""
    _draw(axes, panel)
    _draw_marks(axes, marks, panel)


def _draw(axes: Any, panel: Panel) -> None:
    xs, ys = _extent(panel)
    if panel.heat is not None:
        _draw_heat(axes, panel.heat, panel, xs, ys)
    else:
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    drawn = [
        _draw_series(axes, series, index, panel, xs, ys)
        for index, series in enumerate(panel.series)
    ]
    _draw_references(axes, panel, ys)
    _draw_bands(axes, panel, ys)
    if panel.x_names:
        name_ticks(axes.xaxis, panel.x_names, xs)
    else:
        set_ticks(axes.xaxis, panel.x_scale, xs)
    set_ticks(axes.yaxis, panel.y_scale, ys)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    rows = _legend(axes, panel, drawn)
    axes.set_title(panel.title, loc="left", pad=8 + rows * (FONT + 6))


def _extent(panel: Panel) -> tuple[list[float], list[float]]:
    """Every value on each axis, without those that are not finite."""
    xs: list[float] = [x for s in panel.series for x in s.x]
    ys: list[float] = [y for s in panel.series for y in (*s.y, *(s.low or []), *(s.high or []))]
    ys += [reference.y for reference in panel.references]
    ys += [end for band in panel.bands for end in (band.low, band.high)]
    if panel.heat is not None:
        xs, ys = [*xs, *panel.heat.x], [*ys, *panel.heat.y]
    return _finite(xs), _finite(ys)


def _finite(values: list[float]) -> list[float]:
    return [float(v) for v in values if np.isfinite(v)] or [0.0]


def _draw_series(
    axes: Any, series: Series, index: int, panel: Panel, xs: list[float], ys: list[float]
) -> Any:
    """Draw a series; returns what stands for it in the legend."""
    colour, marker, dash = STYLES[index % len(STYLES)]
    x = positions(series.x, panel.x_scale, xs)
    y = positions([v if np.isfinite(v) else np.nan for v in series.y], panel.y_scale, ys)
    if series.kind == "bars":
        return axes.bar(x, y, color=colour, width=BAR, zorder=2)
    points, step = series.kind == "points", series.kind == "step"
    (line,) = axes.plot(
        x,
        y,
        color=colour,
        marker="" if step or (not points and len(x) > CROWDED) else marker,
        linestyle="none" if points else dash,
        drawstyle="steps-post" if step else "default",
        linewidth=2,
        markersize=5.5 if not points else 8 if len(x) <= CROWDED else 4.5,
        markeredgecolor=NAMES["paper"],
        zorder=3,
    )
    if series.low is None or series.high is None:
        return line
    low, high = (_ends(ends, panel.y_scale, ys) for ends in (series.low, series.high))
    if points or len(x) == 1:
        axes.vlines(x, low, high, color=colour, linewidth=1.6, alpha=0.8, zorder=2)
        return line
    how = {"step": "post"} if step else {}
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=1, **how)
    return line


def _ends(ends: list[float], scale: str, ys: list[float]) -> list[float]:
    """The ends of intervals; one without a bound reaches as far as anything drawn."""
    return positions([float(np.clip(v, min(ys), max(ys))) for v in ends], scale, ys)


def _draw_references(axes: Any, panel: Panel, ys: list[float]) -> None:
    for reference in panel.references:
        (y,) = positions([reference.y], panel.y_scale, ys)
        axes.axhline(y, color=NAMES["muted"], linewidth=1.2, linestyle=(0, (2, 3)), zorder=1.5)
        right = _clearer_at_right(panel, y, ys)
        axes.annotate(
            reference.label,
            (1.0 if right else 0.02, y),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right" if right else "left",
            va="bottom",
            color=NAMES["muted"],
            fontsize=FONT - 1,
            **_CLEAR,
        )


def _draw_bands(axes: Any, panel: Panel, ys: list[float]) -> None:
    """Faint, between dashed lines, behind all that was measured; named above its upper line."""
    for band in panel.bands:
        low, high = positions([band.low, band.high], panel.y_scale, ys)
        axes.axhspan(low, high, color=NAMES["muted"], alpha=0.1, linewidth=0, zorder=0.5)
        for y in (low, high):
            axes.axhline(y, color=NAMES["muted"], linewidth=1, linestyle=(0, (5, 3)), zorder=1.2)
        axes.annotate(
            band.label, (0.98, high), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", ha="right", va="bottom", color=NAMES["muted"],
            fontsize=FONT - 1, **_CLEAR,
        )  # fmt: skip


def _draw_marks(axes: Any, marks: Sequence[Mark], panel: Panel) -> None:
    """A ring at each mark, a line from it down to its axis, and its name beside the line."""
    xs, ys = _extent(panel)
    for mark in marks:
        if np.isnan(mark.y):
            _draw_limit(axes, mark, panel, xs)
            continue
        (x,), (y,) = (
            positions([value], scale, known)
            for value, scale, known in ((mark.x, panel.x_scale, xs), (mark.y, panel.y_scale, ys))
        )
        low, high = axes.get_xlim()
        left = x - low > 0.6 * (high - low)
        ink = NAMES["ink"]
        axes.plot([x, x], [axes.get_ylim()[0], y], color=ink, linewidth=1.2, scaley=False)
        axes.plot(
            [x], [y], marker="o", markersize=9, markerfacecolor="none", markeredgecolor=ink,
            markeredgewidth=1.6, zorder=5,
        )  # fmt: skip
        axes.annotate(
            mark.label,
            (x, 0.06),
            xycoords=("data", "axes fraction"),
            xytext=(-6 if left else 6, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            color=ink,
            fontsize=FONT + 1,
            fontweight="bold",
            zorder=5,
        )


def _draw_limit(axes: Any, mark: Mark, panel: Panel, xs: list[float]) -> None:
    """A dashed upright line with its name at the top; where it lies beyond the data, none."""
    (x,) = positions([mark.x], panel.x_scale, xs)
    low, high = axes.get_xlim()
    if not low <= x <= high:
        return
    left = x - low > 0.7 * (high - low)
    axes.axvline(x, color=NAMES["muted"], linewidth=1.2, linestyle=(0, (4, 3)), zorder=1.5)
    axes.annotate(
        mark.label, (x, 0.985), xycoords=("data", "axes fraction"),
        xytext=(-5 if left else 5, 0), textcoords="offset points", va="top",
        ha="right" if left else "left", color=NAMES["muted"], fontsize=FONT - 1, **_CLEAR,
    )  # fmt: skip


def _clearer_at_right(panel: Panel, y: float, ys: list[float]) -> bool:
    """Whether the drawn lines keep further from a height at their right ends than at their left."""
    drawn = [positions(series.y, panel.y_scale, ys) for series in panel.series if len(series.y) > 1]
    if not drawn:
        return True
    left, right = (min(abs(line[end] - y) for line in drawn) for end in (0, -1))
    return not left > right


def _draw_heat(axes: Any, heat: Heat, panel: Panel, xs: list[float], ys: list[float]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("heat", HEAT)
    x, y = positions(heat.x, panel.x_scale, xs), positions(heat.y, panel.y_scale, ys)
    z = np.asarray(heat.z, float)
    mesh = axes.pcolormesh(x, y, z, cmap=colours, shading="nearest", edgecolors="face")
    bar = axes.figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    if heat.isolines and min(z.shape) > 1:
        _draw_isolines(axes, x, y, z, sorted(heat.isolines))


def _draw_isolines(axes: Any, x: list[float], y: list[float], z: Any, levels: list[float]) -> None:
    """Lines of equal height, dark under light, so that they show on every shade of the map."""
    axes.contour(x, y, z, levels=levels, colors=HEAT_SHADOW, linewidths=3.2, linestyles="solid")
    lines = axes.contour(x, y, z, levels=levels, colors="#ffffff", linewidths=1.4)
    for label in axes.clabel(
        lines, fmt=lambda level: f"{level:g}", fontsize=FONT - 1, colors=HEAT_SHADOW
    ):
        label.set_bbox({"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5})


def _legend(axes: Any, panel: Panel, drawn: Sequence[Any]) -> int:
    """Name the series above the axes; returns how many rows that took."""
    named = [(series.label, one) for series, one in zip(panel.series, drawn, strict=True)]
    labels = [label for label, _ in named if label]
    if not labels:
        return 0
    room = 52 // (max(map(len, labels)) + 5)
    columns = max(1, min(len(labels), room))
    axes.legend(
        [one for label, one in named if label],
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.4,
        borderaxespad=0.2,
        labelspacing=0.25,
    )
    return -(-len(labels) // columns)
