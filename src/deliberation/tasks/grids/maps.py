"""Maps of grids: reading them from text, and the tables that follow from them.

Cells are numbered row by row from the top left.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

MARKS = {
    ".": "free",
    "#": "wall",
    "D": "a wall in half of the episodes",
    "S": "start (drawn evenly where there are several)",
    "G": "exit; one of them, drawn evenly, is the goal",
    "P": "pit",
    "~": "mud",
}
_STARTS = 4096
_CELLS = 4096

# In a circle, so that the directions beside each other are one action apart.
STEPS = {
    4: ((0, -1), (1, 0), (0, 1), (-1, 0)),
    8: ((0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1)),
}
"""(rows, columns) that each action goes, by how many actions there are."""


STEP_NAMES = {
    4: ("left", "down", "right", "up"),
    8: ("left", "down-left", "down", "down-right", "right", "up-right", "up", "up-left"),
}


@dataclass(frozen=True)
class Starts:
    """Every first arrangement, all equally probable."""

    cell: Int[np.ndarray, " starts"]
    goal: Int[np.ndarray, " starts"]
    walls: Bool[np.ndarray, "starts cells"]


def room(size: int) -> str:
    """A square room: start top left, exit bottom right, between them a wall from the top down."""
    rows = [["."] * size for _ in range(size)]
    for row in range(size - 2):
        rows[row][size // 2] = "#"
    rows[0][0], rows[-1][-1] = "S", "G"
    return " ".join("".join(row) for row in rows)


def check_layout(layout: str) -> None:
    """Refuse what is not a map."""
    rows = layout.split()
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"A map needs rows of one length, parted by spaces; got {layout!r}.")
    if len(rows) * len(rows[0]) > _CELLS:
        raise ValueError(f"A map has at most {_CELLS:,} cells; got {len(rows)} x {len(rows[0])}.")
    strange = set("".join(rows)) - set(MARKS)
    if strange:
        known = "; ".join(f"{mark} {meaning}" for mark, meaning in MARKS.items())
        raise ValueError(f"A map knows no {sorted(strange)}. Its marks: {known}.")
    count = {mark: layout.count(mark) for mark in "SGD"}
    if not count["S"] or not count["G"]:
        raise ValueError(f"A map needs a start S and an exit G; got {layout!r}.")
    if count["S"] * count["G"] * 2 ** count["D"] > _STARTS:
        raise ValueError(
            f"{count['S']} starts, {count['G']} exits and {count['D']} doors make more than "
            f"{_STARTS} arrangements, which are listed one by one. Use fewer doors (D)."
        )


def shape(layout: str) -> tuple[int, int]:
    """Rows and columns."""
    rows = layout.split()
    return len(rows), len(rows[0])


def marked(layout: str, marks: str) -> Bool[np.ndarray, " cells"]:
    """Which cells have one of these marks."""
    return np.array([c in marks for c in layout.replace(" ", "")])


def places(layout: str, marks: str) -> Int[np.ndarray, " places"]:
    """The numbers of the cells that have one of these marks."""
    return np.flatnonzero(marked(layout, marks)).astype(np.int32)


@functools.cache
def starts(layout: str) -> Starts:
    """Every start with every goal and every state of the doors."""
    doors, fixed = places(layout, "D"), marked(layout, "#")
    first = places(layout, "S")
    exits = range(len(places(layout, "G")))
    cells, goals, walls = [], [], []
    for cell, goal, shut in itertools.product(
        first, exits, itertools.product((False, True), repeat=len(doors))
    ):
        wall = fixed.copy()
        wall[doors] = shut
        cells.append(cell)
        goals.append(goal)
        walls.append(wall)
    return Starts(np.array(cells, np.int32), np.array(goals, np.int32), np.array(walls))


@functools.cache
def neighbours(layout: str, actions: int) -> Int[np.ndarray, "cells actions"]:
    """The cell that each direction leads to; the cell itself at the edge."""
    rows, columns = shape(layout)
    row, column = np.divmod(np.arange(rows * columns), columns)
    to = []
    for down, right in STEPS[actions]:
        inside = (row + down >= 0) & (row + down < rows)
        inside &= (column + right >= 0) & (column + right < columns)
        there = (row + down) * columns + column + right
        to.append(np.where(inside, there, row * columns + column))
    return np.stack(to, 1).astype(np.int32)


@functools.cache
def steps_between(layout: str, actions: int) -> Int[np.ndarray, "cells cells"]:
    """How many actions lead from one cell to another where there are no walls."""
    rows, columns = shape(layout)
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, right = (np.abs(x[:, None] - x[None]) for x in (row, column))
    return (np.maximum(down, right) if actions == 8 else down + right).astype(np.int32)


@functools.cache
def windows(layout: str, view: int | None) -> Bool[np.ndarray, "cells cells"]:
    """Which cells are seen from each cell: a square of `view` cells to each side, or all."""
    far = steps_between(layout, 8)
    return np.ones_like(far, bool) if view is None else far <= view


def cells_of(layout: str, walls: np.ndarray, goal: int) -> list[str]:
    """The mark of each cell as the map stands; exits that are not the goal are `g`."""
    cells = [c if c in "P~" else "." for c in layout.replace(" ", "")]
    for k, cell in enumerate(places(layout, "G")):
        cells[cell] = "G" if k == goal else "g"
    return ["#" if wall else c for wall, c in zip(walls, cells, strict=True)]


def picture(layout: str, walls: np.ndarray, goal: int, here: int) -> list[str]:
    """The map as it stands, the cell one is on in brackets; exits that are not the goal are `g`."""
    cells = cells_of(layout, walls, goal)
    shown = [f"[{c}]" if i == here else f" {c} " for i, c in enumerate(cells)]
    columns = shape(layout)[1]
    return ["".join(shown[i : i + columns]) for i in range(0, len(shown), columns)]
