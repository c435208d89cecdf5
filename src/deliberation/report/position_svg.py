"""What deciders make of one position, as a self-contained figure that follows light and dark."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from ..zoo.views import Look, Step, View
from .boards import BOARD_STYLE, board_svg, stone
from .positions import chosen, heading, mover_name, signed, summary
from .svg import DARK, PLACEHOLDERS

WIDTH = 1240
MOST = 24
"""So many actions are shown; of more, those that most is made of."""
_BOARD = (32.0, 92.0, 470.0)
"""Left, top, and the side of the square that a board fits into."""
_PANEL = (560.0, 92.0, 1208.0)
"""Left, top and right of what is said of each action."""
_HEAD = 64.0
_STYLE = (
    """
text { fill: var(--ink); font-size: 15px; font-variant-numeric: tabular-nums }
.title { font-size: 23px; font-weight: 650 } .sub, .label, .small { fill: var(--muted) }
.small { font-size: 13px } .label { font-size: 14px; text-anchor: middle }
.mono { font-family: ui-monospace, monospace; font-size: 17px; white-space: pre }
.name { font-weight: 600 } .end { text-anchor: end } .middle { text-anchor: middle }
.ground { fill: var(--paper) } .card { fill: none; stroke: var(--rule); stroke-width: 1.5 }
"""
    + BOARD_STYLE
    + """
.bar { fill: var(--s1); fill-opacity: .55 } .bar.best { fill-opacity: 1 }
.prior { fill: none; stroke: var(--s4); stroke-width: 2 }
.axis { stroke: var(--rule); stroke-width: 1.5 } .dot { fill: var(--s3) }
.dot.off { fill-opacity: .4 } .gain { stroke: var(--s3); stroke-width: 3 }
.row { fill: var(--rule); fill-opacity: .28 } .strong { font-weight: 700 }
.chip { fill: var(--rule); fill-opacity: .5 }
"""
)


def look_svg(found: Look) -> str:
    """The figure: the board with its heat at the left, prior, visits and values at the right.

    Below stand the lines that each decider expects. Every action shown is named.
    """
    shown = found.ranked(MOST) if found.names else []
    panel, bottom = _panel(found, shown)
    board, low = _board(found)
    lines, height = _lines(found, max(bottom, low) + 30)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="look-title look-desc">',
        f'<title id="look-title">{escape(heading(found))}</title>',
        f'<desc id="look-desc">{escape(_described(found))}</desc>',
        f"<style>{_variables()}{_STYLE}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        *_title(found), board, panel, lines, "</svg>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _variables() -> str:
    light = "; ".join(f"--{name}: {value}" for name, value in PLACEHOLDERS.values())
    dark = "; ".join(f"--{name}: {value}" for name, value in DARK.items())
    light, dark = f"{light}; --heat: #f3b33d; --edge: #d97a06", f"{dark}; --heat: #b98218"
    return (
        f"svg {{ font-family: system-ui, sans-serif; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ svg {{ {dark}; --edge: #f0a93a }} }}"
    )


def _described(found: Look) -> str:
    told = [
        f"{v.name} chooses {chosen(found, v)}, value {signed(v.value)}"
        for v in found.views
        if found.names and v.candidates is None
    ]
    return ". ".join([found.shown.replace("\n", " / "), *told])


def _title(found: Look) -> list[str]:
    told = "over" if found.over else "one player"
    if found.players > 1 and not found.over:
        told = f"{mover_name(found)} to move"
    return [
        f'<text class="title" x="32" y="44">{escape(found.title)}</text>',
        f'<text class="sub" x="32" y="70">{escape(told[:1].upper() + told[1:])}</text>',
    ]


def _board(found: Look) -> tuple[str, float]:
    """The board, or the state as text, and where it ends."""
    left, top, side = _BOARD
    drawn = found.drawn
    if drawn is None or found.over:
        rows = [
            f'<text class="mono" x="{left + 22:g}" y="{top + 42 + 26 * i:g}">{escape(row)}</text>'
            for i, row in enumerate(_wrapped(found.shown, 42))
        ]
        height = 26 * len(rows) + 46
        frame = (
            f'<rect class="card" x="{left:g}" y="{top:g}" width="{side:g}" height="{height:g}" '
            'rx="12"/>'
        )
        return "\n".join([frame, *rows]), top + height
    lead = _leading(found)
    heat, best, line = {}, None, []
    if lead is not None:
        view, steps = lead
        share = view.weights if view.visits is None else view.visits
        top_share = max(float(share.max(initial=0)), 1e-9)
        heat = {int(a): float(share[a]) / top_share for a in np.flatnonzero(found.legal)}
        best = view.action
        stones = drawn.here is None and found.players == 2
        line = [(s.place, "XO"[s.mover] if stones else "") for s in steps if s.place is not None]
    elements, width, height = board_svg(drawn, heat, best, line)
    scale = min(side / width, side / height, 2.1)
    note = (
        f'<text class="small sub" x="{left:g}" y="{top + scale * height + 22:g}">'
        f"{escape(drawn.note)}</text>"
    )
    placed = f'<g transform="translate({left:g} {top:g}) scale({scale:.4f})">\n{elements}\n</g>'
    return placed + (note if drawn.note else ""), top + scale * height + 24 * bool(drawn.note)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return [part for row in text.splitlines() for part in textwrap.wrap(row, width) or [""]]


def _leading(found: Look) -> tuple[View, tuple[Step, ...]] | None:
    """The view whose heat the board shows: the first that searched, else the first there is."""
    pairs = [p for p in zip(found.views, found.lines, strict=True) if p[0].candidates is None]
    searched = [p for p in pairs if p[0].visits is not None]
    return next(iter([*searched, *pairs]), None)


def _panel(found: Look, shown: Sequence[int]) -> tuple[str, float]:
    """What is said of each action, a column for each decider, and where it ends."""
    left, top, right = _PANEL
    views = [v for v in found.views if v.candidates is None and found.names]
    if not shown or not views:
        return _untold(found)
    names = 14 + 9 * max(len(found.names[a]) for a in shown)
    weights = [1.0 if v.exact else 1.9 for v in views]
    unit = (right - left - names) / sum(weights)
    high = min(46.0, max(22.0, 430 / len(shown)))
    parts = []
    for i, action in enumerate(shown):
        y = top + _HEAD + i * high
        if i % 2 == 0:
            parts.append(
                f'<rect class="row" x="{left - 10:g}" y="{y:g}" width="{right - left + 20:g}" '
                f'height="{high:g}" rx="6"/>'
            )
        parts.append(
            f'<text class="name" x="{left:g}" y="{y + high / 2 + 5:g}">'
            f"{escape(found.names[action])}</text>"
        )
    x = left + names
    for view, weight in zip(views, weights, strict=True):
        parts += _column(found, view, shown, (x, x + unit * weight - 18), high)
        x += unit * weight
    end = top + _HEAD + len(shown) * high
    more = int(found.legal.sum()) - len(shown)
    if more:
        parts.append(
            f'<text class="small sub" x="{left:g}" y="{end + 20:g}">and {more} more</text>'
        )
        end += 24
    return "\n".join([*parts, _legend(views, end + 26)]), end + 34


def _column(
    found: Look, view: View, shown: Sequence[int], span: tuple[float, float], high: float
) -> list[str]:
    """One decider: its bars and dots, a row for each action."""
    (x, end), top = span, _PANEL[1]
    parts = [
        f'<text class="name" x="{x:g}" y="{top + 18:g}">{escape(view.name)}</text>',
        f'<text class="small sub" x="{x:g}" y="{top + 40:g}">'
        f"{escape(chosen(found, view))}, value {signed(view.value)}</text>",
    ]
    middle = x if view.exact else x + (end - x) * (0.56 if view.values is not None else 1.0)
    rows = [(a, top + _HEAD + i * high) for i, a in enumerate(shown)]
    if not view.exact:
        parts += _bars(view, rows, (x, middle - 56), high)
    if view.values is not None:
        parts += _dots(view, rows, (middle + 4, end - 52), high)
    return parts


def _bars(
    view: View, rows: Sequence[tuple[int, float]], span: tuple[float, float], high: float
) -> list[str]:
    """Visits (else weights) as bars, the prior as an outline around them."""
    x, room = span[0], span[1] - span[0]
    numbers = view.weights if view.visits is None else view.visits
    share = numbers / max(float(numbers.sum()), 1e-9)
    prior = np.zeros_like(share) if view.prior is None else view.prior
    top = max(float(share.max()), float(prior.max()), 1e-9)
    parts, thick = [], min(0.5 * high, 18)
    for action, y in rows:
        middle, kind = y + high / 2, " best" if action == view.action else ""
        width = room * share[action] / top
        parts.append(
            f'<rect class="bar{kind}" x="{x:g}" y="{middle - thick / 2:g}" width="{width:.1f}" '
            f'height="{thick:g}" rx="3"/>'
        )
        if view.prior is not None:
            parts.append(
                f'<rect class="prior" x="{x:g}" y="{middle - thick / 2 - 3:g}" '
                f'width="{max(room * prior[action] / top, 1):.1f}" height="{thick + 6:g}" rx="4"/>'
            )
        told = f"{numbers[action]:.0%}" if view.visits is None else f"{numbers[action]:,.0f}"
        strong = " strong" if kind else ""
        parts.append(
            f'<text class="small end{strong}" x="{span[1] + 46:g}" y="{middle + 5:g}">{told}</text>'
        )
    return parts


def _dots(
    view: View, rows: Sequence[tuple[int, float]], span: tuple[float, float], high: float
) -> list[str]:
    """Values as dots on an axis that all rows share; zero is marked if it lies within."""
    assert view.values is not None
    known = view.values[np.isfinite(view.values)]
    low, up = min(float(known.min(initial=0)), 0.0), max(float(known.max(initial=0)), 0.0)
    low, up = (low, up) if up > low else (low - 1, up + 1)
    scale = (span[1] - span[0] - 12) / (up - low)
    zero = span[0] + 6 - low * scale
    parts = [
        f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="{rows[0][1]:g}" '
        f'y2="{rows[-1][1] + high:g}"/>'
    ]
    for action, y in rows:
        value, middle = float(view.values[action]), y + high / 2
        best = view.weights[action] > 0 if view.exact else action == view.action
        told = signed(value)
        strong = " strong" if best else ""
        parts.append(
            f'<text class="small end{strong}" x="{span[1] + 50:g}" y="{middle + 5:g}">{told}</text>'
        )
        if np.isfinite(value):
            at = span[0] + 6 + (value - low) * scale
            parts.append(
                f'<line class="gain" x1="{zero:.1f}" x2="{at:.1f}" y1="{middle:g}" y2="{middle:g}" '
                f'stroke-opacity="{0.9 if best else 0.3}"/>'
                f'<circle class="dot{"" if best else " off"}" cx="{at:.1f}" cy="{middle:g}" r="6"/>'
            )
    return parts


def _legend(views: Sequence[View], y: float) -> str:
    told = []
    if any(v.visits is not None for v in views):
        told.append("bars: visits")
    if any(v.visits is None and not v.exact for v in views):
        told.append("bars: probability of being chosen, where nothing is searched")
    if any(v.prior is not None for v in views):
        told.append("outlines: the network's prior")
    if any(v.values is not None for v in views):
        told.append("dots: value for the player to move")
    return f'<text class="small sub" x="{_PANEL[0]:g}" y="{y:g}">{escape("; ".join(told))}</text>'


def _untold(found: Look) -> tuple[str, float]:
    """Continuous actions: candidates and their weights as text."""
    left, top, _ = _PANEL
    rows = [
        row
        for view, line in zip(found.views, found.lines, strict=True)
        for row in summary(found, view, line).splitlines()
    ]
    parts = [
        f'<text class="mono" x="{left:g}" y="{top + 42 + 26 * i:g}">{escape(row)}</text>'
        for i, row in enumerate(rows)
    ]
    return "\n".join(parts), top + 42 + 26 * len(rows)


def _lines(found: Look, top: float) -> tuple[str, float]:
    """The line that each decider expects, as chips, and the height of the whole figure."""
    parts, y = [], top
    stones = found.drawn is not None and found.drawn.here is None and found.players == 2
    for view, line in zip(found.views, found.lines, strict=True):
        if len(line) < 2:
            continue
        parts.append(f'<text class="name" x="32" y="{y + 21:g}">{escape(view.name)}</text>')
        x = 56 + 9.0 * max(len(v.name) for v in found.views)
        for step in line:
            wide = 24 + 8.3 * len(step.name) + (24 if stones else 0)
            parts.append(
                f'<rect class="chip" x="{x:g}" y="{y:g}" width="{wide:g}" height="32" rx="16"/>'
            )
            if stones:
                parts.append(
                    f'<g transform="translate({x + 19:g} {y + 16:g}) scale(.45)">'
                    f"{stone(0.0, 0.0, 'XO'[step.mover])}</g>"
                )
            at = x + (34 if stones else 12)
            parts.append(f'<text x="{at:g}" y="{y + 21:g}">{escape(step.name)}</text>')
            x += wide + 8
        y += 42
    for note in found.notes:
        parts.append(f'<text class="small sub" x="32" y="{y + 20:g}">{escape(note)}</text>')
        y += 28
    return "\n".join(parts), y + 24
