"""What deciders make of one position, in a terminal: the board, and one table of its actions."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..zoo.views import Look, Step, View
from .boards import board_text
from .numbers import MISSING

WIDEST = 100
MOST = 16
"""So many actions are shown; of more, those that most is made of."""
_BAR = 8
_MARKS = " ▏▎▍▌▋▊▉█"
_STONES = "XO"
_EQUALS = 3
"""So many equally good actions are named; of more, only how many they are."""


def show_look(found: Look, console: Any = None) -> None:
    """Print a position and what is made of it, within 100 columns."""
    from rich.console import Console

    console = Console(highlight=False) if console is None else console
    width = min(console.width, WIDEST)
    console.print(f"[bold]{_safe(heading(found))}[/bold]\n", width=width)
    if found.drawn is not None and not found.over:
        console.print(board_text(found.drawn), width=width)
    else:
        console.print(found.shown, width=width, markup=False)
    console.print()
    for group in _groups(found.views, width):
        if any(v.candidates is None for v in group):
            console.print(_table(found, group), width=width)
    for view, line in zip(found.views, found.lines, strict=True):
        console.print(summary(found, view, line), width=width, markup=False)
    for note in found.notes:
        told = note[:1].upper() + note[1:].rstrip(".") + "."
        console.print(told, width=width, markup=False, style="dim")


def heading(found: Look) -> str:
    """The task, the moves so far, and whose move it is."""
    if found.over:
        return f"{found.title}: over"
    if found.players == 1:
        return found.title
    return f"{found.title}: {mover_name(found)} to move"


def mover_name(found: Look) -> str:
    """The player to move, with its stones where some are drawn."""
    stones = found.drawn is not None and found.drawn.here is None
    return player_name(found.mover, found.players, stones)


def player_name(mover: int, players: int, stones: bool) -> str:
    """A player in words: of a board for two also the stones."""
    if players == 1:
        return "the player"
    return f"player {mover}" + (f" ({_STONES[mover]})" if players == 2 and stones else "")


def summary(found: Look, view: View, line: Sequence[Step]) -> str:
    """What is answered, what it is held to be worth, and the line that it expects."""
    if view.candidates is not None or not found.names:
        return _continuous(view)
    told = f"{view.name}: {chosen(found, view)}, value {signed(view.value)}"
    if len(line) > 1:
        told += ", line " + " ".join(step.name for step in line)
    return told


def chosen(found: Look, view: View) -> str:
    """The action that is answered; of exact values all that are best."""
    best = np.flatnonzero(view.weights > 0) if view.exact else [view.action]
    if len(best) > _EQUALS:
        return f"any of {len(best)}" if len(best) < found.legal.sum() else "any action"
    return " or ".join(found.names[a] for a in best)


def signed(value: float) -> str:
    """A value with its sign, to two places; what is unknown as a dash."""
    if not np.isfinite(value):
        return MISSING
    text = f"{value:+.2f}" if abs(value) < 1000 else f"{value:+,.0f}"
    return text.replace("+0.00", "0.00").replace("-0.00", "0.00").replace("-", "−")


def _continuous(view: View) -> str:
    def told(action: Any) -> str:
        return "[" + ", ".join(f"{x:.3f}" for x in np.ravel(action).tolist()) + "]"

    lines = [f"{view.name}: {told(view.action)}, value {signed(view.value)}"]
    if view.candidates is not None:
        order = np.argsort(-view.weights)[:MOST]
        lines += [f"  {view.weights[i]:6.1%}  {told(view.candidates[i])}" for i in order]
    return "\n".join(lines)


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _width(view: View) -> int:
    named = len(view.name) + 3
    parts = 9 + (8 if view.prior is not None else 0)
    if not view.exact:
        parts += 9 + _BAR
    return max(parts, named)


def _groups(views: Sequence[View], width: int) -> Iterator[list[View]]:
    """The views that fit side by side; exact values go with the first ones, for comparison."""
    room, group = width - 14, []
    exact = [v for v in views if v.exact]
    for view in (v for v in views if not v.exact):
        used = sum(map(_width, [*group, *exact]))
        if group and used + _width(view) > room:
            yield [*group, *exact]
            group = []
        group.append(view)
    if group or exact:
        yield [*group, *exact]


def _table(found: Look, views: Sequence[View]) -> Any:
    from rich.table import Table

    shown = found.ranked(MOST)
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_footer=False)
    table.add_column("\naction", style="bold", no_wrap=True)
    columns = [c for view in views for c in _columns(view, shown)]
    for title, _ in columns:
        table.add_column(
            title, justify="left" if title.endswith("visits") else "right", no_wrap=True
        )
    for row, action in enumerate(shown):
        table.add_row(found.names[action], *(cells[row] for _, cells in columns))
    left = int(found.legal.sum()) - len(shown)
    if left:
        table.add_row(f"and {left} more", *("" for _ in columns))
    return table


def _columns(view: View, shown: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """Titles of two lines, the first one the decider's name, and their cells."""
    name = f"[bold]{_safe(view.name)}[/bold]"
    found = []
    if view.prior is not None:
        found.append(("prior", [f"{view.prior[a]:.1%}" for a in shown]))
    if not view.exact:
        found.append(_shares(view, shown))
    if view.values is not None:
        found.append(("value", [_value(view, a) for a in shown]))
    for place, (title, cells) in enumerate(found):
        yield f"{name if place == 0 else ''}\n{title}", cells


def _shares(view: View, shown: Sequence[int]) -> tuple[str, list[str]]:
    """Visits where they are counted, else weights, with bars."""
    numbers = view.weights if view.visits is None else view.visits
    top = max(float(np.max(numbers)), 1e-9)
    cells = []
    for a in shown:
        number = f"{numbers[a]:.0%}" if view.visits is None else f"{numbers[a]:,.0f}"
        text = f"{number:>6} {_bar(float(numbers[a]) / top)}"
        cells.append(f"[bold cyan]{text}[/bold cyan]" if a == view.action else text)
    return ("weight" if view.visits is None else "visits"), cells


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    return ("█" * (eighths // 8) + _MARKS[eighths % 8].strip()).ljust(_BAR)


def _value(view: View, action: int) -> str:
    assert view.values is not None
    text = signed(float(view.values[action]))
    best = view.weights[action] > 0 if view.exact else action == view.action
    return f"[bold cyan]{text}[/bold cyan]" if best else text
