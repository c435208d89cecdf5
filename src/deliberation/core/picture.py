"""A state as a board of cells: what a terminal and a figure draw in their own ways."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Place = tuple[int, int]
"""A row and a column, from the top left; an arrow may point to one off the board."""


class Picture(NamedTuple):
    """What the player to move sees, as rows of cells from the top.

    A cell is "" (free), "X" or "O" (a stone of the first or the second player), "#" (a wall), "?"
    (not seen) or any short text. `places` has for each action the cell that it is about: where a
    stone comes to lie, or which way a step goes from the cell `here`; None for neither (passing).
    `rows` and `columns` are what is written beside and below the board, `note` what is said below
    it; `lean` shifts each row to the right of the one above, in cells.
    """

    cells: tuple[tuple[str, ...], ...]
    places: tuple[Place | None, ...]
    here: Place | None = None
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    note: str = ""
    lean: float = 0.0


def in_rows(marks: Sequence[T], columns: int) -> tuple[tuple[T, ...], ...]:
    """A flat board cut into rows."""
    return tuple(tuple(marks[i : i + columns]) for i in range(0, len(marks), columns))


def every_cell(rows: int, columns: int) -> tuple[Place, ...]:
    """The places of a board, row by row: those of actions that are its cells."""
    return tuple((row, column) for row in range(rows) for column in range(columns))


def around(here: Place, steps: Sequence[Place]) -> tuple[Place, ...]:
    """The places that steps lead to, on the board or off it."""
    return tuple((here[0] + down, here[1] + right) for down, right in steps)


def letters(count: int, skipped: str = "") -> tuple[str, ...]:
    """Columns as boards are lettered: a, b, c..., then aa, ab..."""
    usual = [c for c in "abcdefghijklmnopqrstuvwxyz" if c not in skipped]
    more = [a + b for a in usual for b in usual]
    return tuple([*usual, *more][:count])


def squares(rows: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The names of a board's cells, row by row: a3, b3..."""
    return tuple(f"{column}{row}" for row in rows for column in columns)


def counted(count: int, *, up: bool = True) -> tuple[str, ...]:
    """The numbers of rows from the top: ending with 1 (`up`), or beginning with it."""
    numbers = range(count, 0, -1) if up else range(1, count + 1)
    return tuple(map(str, numbers))


def as_text(picture: Picture) -> str:
    """A picture in plain letters: the cell that one is on in brackets, coordinates at the edges."""
    wide = max([len(mark) for row in picture.cells for mark in row] + [1])
    beside = max(map(len, picture.rows), default=-1)
    lines = []
    for i, row in enumerate(picture.cells):
        label = picture.rows[i].rjust(beside) + " " if picture.rows else ""
        cells = [
            f"[{mark or '.':>{wide}}]" if (i, j) == picture.here else f" {mark or '.':>{wide}} "
            for j, mark in enumerate(row)
        ]
        lines.append(label + " " * round(picture.lean * i * (wide + 2)) + "".join(cells))
    if picture.columns:
        shift = round(picture.lean * len(picture.cells) * (wide + 2))
        under = "".join(f" {name:>{wide}} " for name in picture.columns)
        lines.append(" " * (beside + 1 + shift) + under)
    return "\n".join(
        [*(line.rstrip() for line in lines), *([picture.note] if picture.note else [])]
    )
