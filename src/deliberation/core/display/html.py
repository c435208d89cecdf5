"""Small tables for notebooks: escaped, self-contained, and in the reader's own colours.

Nothing has a colour of its own: text, rules and bars are of the colour that the notebook writes
in, so that they read in the light and in the dark. What a bar or a curve shows is said in words,
too.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from .numbers import number

STYLE = (
    ".deliberation{color:inherit;max-width:64em;overflow-x:auto}"
    ".deliberation table{border-collapse:collapse;margin:.2em 0 .4em;font-size:.9em;"
    "font-variant-numeric:tabular-nums}"
    ".deliberation caption{caption-side:top;text-align:left;color:inherit;padding:0 0 .3em;"
    "white-space:nowrap}"
    ".deliberation tr,.deliberation tbody tr:nth-child(odd){background:none}"
    ".deliberation th,.deliberation td{text-align:left;vertical-align:top;color:inherit;"
    "background:none;padding:.25em 1em .25em 0;border:0;white-space:normal;max-width:32em;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 22%,transparent)}"
    ".deliberation .n{text-align:right;white-space:nowrap}"
    ".deliberation svg{vertical-align:middle;overflow:visible}"
    ".deliberation p{margin:.2em 0;font-size:.9em}"
    ".deliberation .quiet{opacity:.75}"
)
ROWS = 10
"""So many rows of a batch are shown."""
HIGH = 16
"""Pixels that a bar or a curve is high."""
WIDE, APART = 96, 7
"""The most pixels that bars side by side are wide together, and each with its gap."""
MOST = 64
"""So many bars are drawn; of more, the highest."""


class Markup(str):
    """Text that is HTML already; all other text is escaped."""


class Column(NamedTuple):
    """The head of a column; numbers stand at its right."""

    title: str
    numbers: bool = False


def fragment(*parts: str) -> str:
    """What a notebook is handed: the parts with the style that they need."""
    inner = "".join(parts)
    return f'<div class="deliberation"><style>{STYLE}</style>{inner}</div>'


def paragraph(text: str, *, quiet: bool = False) -> Markup:
    """A line below or above a table."""
    kind = ' class="quiet"' if quiet else ""
    return Markup(f"<p{kind}>{_safe(text)}</p>") if text else Markup("")


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Markup:
    """Rows under their heads; the first cell of a row names it."""
    heads = "".join(
        f'<th scope="col"{_kind(column)}>{escape(column.title)}</th>' for column in columns
    )
    body = "".join(
        "<tr>"
        + "".join(_cell(text, column, i == 0) for i, (text, column) in enumerate(cells))
        + "</tr>"
        for cells in (list(zip(row, columns, strict=True)) for row in rows)
    )
    return Markup(
        f"<table><caption>{_safe(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def left_out(count: int, noun: str) -> str:
    """What is not shown, in words; nothing where all is."""
    if count <= 0:
        return ""
    return f"{count} more {noun}s are not shown." if count > 1 else f"One more {noun} is not shown."


def bar(share: float) -> Markup:
    """A share from 0 to 1 as a bar before its number."""
    wide = round(60 * min(max(share, 0.0), 1.0), 1)
    return Markup(
        f'<svg width="60" height="10" aria-hidden="true"><rect width="{wide:g}" height="10" '
        f'fill="currentColor" fill-opacity=".55"/></svg> {number(share, 2)}'
    )


def bars(values: Sequence[float] | np.ndarray, said: str) -> Markup:
    """Amounts of at least 0 side by side, the greatest as high as there is room."""
    x = np.nan_to_num(np.asarray(values, float), posinf=0.0, neginf=0.0)
    top = max(float(x.max(initial=0.0)), 1e-12)
    step = min(float(APART), WIDE / max(len(x), 1))
    drawn = sorted(np.argsort(-x, kind="stable")[:MOST])
    inner = "".join(
        f'<rect x="{i * step:g}" y="{HIGH - HIGH * x[i] / top:.3g}" width="{0.8 * step:.3g}" '
        f'height="{HIGH * x[i] / top:.3g}"/>'
        for i in drawn
        if x[i] > 0
    )
    wide = max(step * len(x), 1.0)
    rule = f'<path d="M0 {HIGH}.5H{wide:g}" stroke="currentColor" stroke-opacity=".4"/>'
    return _picture(wide, said, f'<g fill="currentColor" fill-opacity=".7">{inner}</g>{rule}')


def curve(values: Sequence[float] | np.ndarray, said: str, most: int = 60) -> Markup:
    """How a number went, as a line from left to right; gaps where it is not known."""
    y = np.asarray(values, float)
    y = y[np.unique(np.linspace(0, len(y) - 1, min(len(y), most)).astype(int))] if len(y) else y
    known = np.isfinite(y)
    if known.sum() < 2:
        return Markup("")
    low, high = float(y[known].min()), float(y[known].max())
    span = (high - low) or 1.0
    points = " ".join(
        f"{WIDE * i / (len(y) - 1):.4g},{1 + (HIGH - 2) * (high - y[i]) / span:.3g}"
        for i in np.flatnonzero(known)
    )
    line = f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    return _picture(WIDE, said, line)


def _picture(wide: float | int, said: str, inner: str) -> Markup:
    return Markup(
        f'<svg width="{wide:g}" height="{HIGH + 1}" role="img" aria-label="{escape(said)}">'
        f"{inner}</svg>"
    )


def _cell(text: str, column: Column, first: bool) -> str:
    if first:
        return f'<th scope="row"{_kind(column)}>{_safe(text)}</th>'
    return f"<td{_kind(column)}>{_safe(text)}</td>"


def _kind(column: Column) -> str:
    return ' class="n"' if column.numbers else ""


def _safe(text: str) -> str:
    return text if isinstance(text, Markup) else escape(str(text))
