"""A position drawn twice from one picture: in a terminal with colours, and as a part of an SVG."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from ..core.picture import Picture, Place

CELL = 64.0
"""The side of a cell in a figure."""
STYLES = {
    "X": "bold blue", "O": "bold red", "#": "dim", "G": "bold green", "g": "green",
    "P": "bold red", "H": "bold red", "~": "yellow", "?": "dim",
}  # fmt: skip
WALLS = {"#": "██"}
BOARD_STYLE = """
.cell { fill: var(--rule); fill-opacity: .38 } .wall { fill: var(--muted); fill-opacity: .75 }
.pit { fill: var(--s7); fill-opacity: .2 } .mud { fill: var(--s5); fill-opacity: .2 }
.goal { fill: var(--s3); fill-opacity: .25 } .unseen { fill-opacity: .16 }
.mark { text-anchor: middle; font-weight: 600 } .here { fill: var(--ink) }
.heat { fill: var(--heat) } .chosen { fill: none; stroke: var(--edge); stroke-width: 3.5 }
.arrow { fill: var(--heat) } .arrow.best { fill: var(--edge) }
.stone { fill: none; stroke-width: 7; stroke-linecap: round } .x { stroke: var(--s1) }
.o { stroke: var(--s2) } .ghost { stroke-opacity: .33 }
.order { text-anchor: middle; font-size: 14px; font-weight: 700 }
.way { fill: none; stroke: var(--s2); stroke-width: 4; stroke-dasharray: 1 9;
  stroke-linecap: round }
"""
"""Of the elements of a board, by the colours of the page or figure it stands in."""
_HALF = CELL / 2
_LABEL = 26.0


def board_text(picture: Picture) -> Any:
    """The board for a terminal: the cell that one is on reversed, coordinates at the edges."""
    from rich.text import Text

    text = Text()
    wide = max([len(mark) for row in picture.cells for mark in row] + [1])
    beside = max(map(len, picture.rows), default=-1) + 1
    step = wide + 2
    for i, row in enumerate(picture.cells):
        label = picture.rows[i].rjust(beside - 1) + " " if picture.rows else ""
        text.append(label + " " * round(picture.lean * i * step), style="dim")
        for j, mark in enumerate(row):
            at = (i, j) == picture.here
            shown = "@" if at and not mark else mark or "·"
            style = "reverse bold" if at else STYLES.get(mark, "" if mark else "dim")
            wall = mark == "#" and not at
            text.append("▒" * step if wall else f" {shown:^{wide}} ", style=style)
        text.append("\n")
    if picture.columns:
        shift = round(picture.lean * len(picture.cells) * step)
        under = "".join(f" {name:^{wide}} " for name in picture.columns)
        text.append(" " * (beside + shift) + under + "\n", style="dim")
    if picture.note:
        text.append(picture.note + "\n", style="dim")
    text.rstrip()
    return text


def board_svg(
    picture: Picture, heat: Mapping[int, float], best: int | None, line: list[tuple[Place, str]]
) -> tuple[str, float, float]:
    """The board as SVG elements, and its width and height.

    `heat` has a share (0 to 1) for each action to be shown: of the cell it is about, or of the
    arrow it goes by. `best` is drawn out, `line` are the cells of the moves to come, in their
    order, and whose stone lies there (empty: none is put down).
    """
    rows, columns = len(picture.cells), max(map(len, picture.cells), default=0)
    # Arrows may point off the board.
    rim = 30.0 if picture.here is not None else 0.0
    left = _LABEL if picture.rows else 4.0
    lean = picture.lean * CELL * max(rows - 1, 0)
    width = left + columns * CELL + lean + 4 + 2 * rim
    height = rows * CELL + (_LABEL if picture.columns else 4.0) + 2 * rim
    parts = [f'<g transform="translate({left + rim:g} {2 + rim:g})">']
    for i, row in enumerate(picture.cells):
        for j, mark in enumerate(row):
            parts.append(_cell(picture, (i, j), mark))
    parts += _heat(picture, heat, best)
    for i, row in enumerate(picture.cells):
        for j, mark in enumerate(row):
            parts.append(_mark(picture, (i, j), mark))
    parts += _line(picture, line)
    parts += _labels(picture, rows)
    return "\n".join([*(p for p in parts if p), "</g>"]), width, height


def _corner(picture: Picture, place: Place) -> tuple[float, float]:
    row, column = place
    return (column + picture.lean * row) * CELL, row * CELL


def _middle(picture: Picture, place: Place) -> tuple[float, float]:
    x, y = _corner(picture, place)
    return x + _HALF, y + _HALF


def _cell(picture: Picture, place: Place, mark: str) -> str:
    x, y = _corner(picture, place)
    kind = {"#": "wall", "?": "unseen", "P": "pit", "H": "pit", "~": "mud", "G": "goal"}
    return (
        f'<rect class="cell {kind.get(mark, "")}" x="{x + 1:g}" y="{y + 1:g}" '
        f'width="{CELL - 2:g}" height="{CELL - 2:g}" rx="7"/>'
    )


def _mark(picture: Picture, place: Place, mark: str) -> str:
    x, y = _middle(picture, place)
    here = ""
    if place == picture.here:
        here = f'<circle class="here" cx="{x:g}" cy="{y:g}" r="17"/>'
    if mark in ("X", "O"):
        return here + stone(x, y, mark)
    if mark in ("", "#"):
        return here
    size = 26 if len(mark) < 3 else 18
    return here + (
        f'<text class="mark" x="{x:g}" y="{y + size * 0.36:g}" font-size="{size}">'
        f"{escape(mark)}</text>"
    )


def stone(x: float, y: float, mark: str, ghost: str = "") -> str:
    """A cross for the first player or a ring for the second; a `ghost` is still to come."""
    kind = ("x" if mark == "X" else "o") + (" ghost" if ghost else "")
    if mark == "X":
        r = 15
        return (
            f'<path class="stone {kind}" d="M{x - r:g} {y - r:g}L{x + r:g} {y + r:g}'
            f'M{x + r:g} {y - r:g}L{x - r:g} {y + r:g}"/>'
        )
    return f'<circle class="stone {kind}" cx="{x:g}" cy="{y:g}" r="17"/>'


def _heat(picture: Picture, heat: Mapping[int, float], best: int | None) -> list[str]:
    found = []
    for action, share in heat.items():
        place = picture.places[action] if action < len(picture.places) else None
        if place is None:
            continue
        if picture.here is not None:
            found.append(_arrow(picture, picture.here, place, share, action == best))
            continue
        x, y = _corner(picture, place)
        shade = 0.08 + 0.62 * share if share > 0 else 0.0
        found.append(
            f'<rect class="heat" x="{x + 1:g}" y="{y + 1:g}" width="{CELL - 2:g}" '
            f'height="{CELL - 2:g}" rx="7" fill-opacity="{shade:.3f}"/>'
        )
        if action == best:
            found.append(
                f'<rect class="chosen" x="{x + 2.5:g}" y="{y + 2.5:g}" width="{CELL - 5:g}" '
                f'height="{CELL - 5:g}" rx="6"/>'
            )
    return found


def _arrow(picture: Picture, here: Place, to: Place, share: float, best: bool) -> str:
    (x, y), (u, v) = _middle(picture, here), _middle(picture, to)
    length = max(((u - x) ** 2 + (v - y) ** 2) ** 0.5, 1.0)
    dx, dy = (u - x) / length, (v - y) / length
    thick = 3 + 11 * share
    # From the rim of the disc one stands on, to well within the next cell.
    start, neck, tip = 20.0, 34.0, 34.0 + 8 + 0.8 * thick
    head = thick * 0.9 + 5
    at = [(x + dx * d - dy * s, y + dy * d + dx * s) for d, s in (
        (start, thick / 2), (neck, thick / 2), (neck, head), (tip, 0), (neck, -head),
        (neck, -thick / 2), (start, -thick / 2),
    )]  # fmt: skip
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
    kind = "arrow best" if best else "arrow"
    shade = 1.0 if best else 0.25 + 0.6 * share
    return f'<polygon class="{kind}" points="{points}" fill-opacity="{shade:.3f}"/>'


def _line(picture: Picture, line: list[tuple[Place, str]]) -> list[str]:
    """Stones to come, numbered; or the way that one goes, dotted."""
    found: list[str] = []
    if picture.here is not None:
        way = [picture.here, *(place for place, _ in line)]
        points = " ".join(f"{x:g},{y:g}" for x, y in (_middle(picture, p) for p in way))
        return [f'<polyline class="way" points="{points}"/>'] if len(way) > 1 else []
    for number, (place, whose) in enumerate(line, 1):
        x, y = _middle(picture, place)
        if whose in ("X", "O"):
            found.append(stone(x, y, whose, ghost="yes"))
        found.append(f'<text class="order" x="{x:g}" y="{y + 5:g}">{number}</text>')
    return found


def _labels(picture: Picture, rows: int) -> list[str]:
    found = [
        f'<text class="label" x="-13" y="{i * CELL + _HALF + 5:g}">{escape(name)}</text>'
        for i, name in enumerate(picture.rows)
    ]
    shift = picture.lean * CELL * max(rows - 1, 0)
    return found + [
        f'<text class="label" x="{j * CELL + _HALF + shift:g}" y="{rows * CELL + 19:g}">'
        f"{escape(name)}</text>"
        for j, name in enumerate(picture.columns)
    ]
