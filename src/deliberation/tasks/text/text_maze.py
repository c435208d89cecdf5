"""Mazes as text: the cells are told row by row, and a way from start to goal is written as moves.

"S . # . # G . . ." on 3x3, with ":" behind it, is answered by "down down right right up end"
where that is a way. What is written is worth the length of the shortest way over its own.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import TaskOptionError
from ..bases import check_sizes
from .base import QuestionTask, TextState, until

TASKS = {
    "text_maze": {
        "summary": "Write a way through a maze as moves; options size, walls, length, grammar",
        "factory": "TextMaze",
        "options": {"size": 4, "walls": 0.3, "length": None, "grammar": False},
    },
}

_LARGEST, _THICKEST = 16, 0.8
_SYMBOLS = (".", "#", "S", "G", ":", "left", "down", "right", "up", "end")
_OPEN, _WALL, _START, _GOAL, _ASKS, _MOVES, _END = 0, 1, 2, 3, 4, 5, 9
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
_FAR = 1_000_000

Walk = tuple[Int[Array, ""], Int[Array, " cells"]]
"""The cell, and from which one each that was seen was reached; -1 for those that were not."""


class TextMaze(QuestionTask):
    """A square of `size` cells a side, each a wall with probability `walls`; a way is always there.

    The start is drawn evenly from the open cells, the goal from those that can be reached from it.
    The grade of an answer that ends in the goal is the number of moves of the shortest way over its
    own. With `grammar` moves go into open cells only; the answer may end anywhere. Raises
    `TaskOptionError`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("shortest", "dfs")
    """A shortest way, and the walk of a search in depth that turns back where it must."""

    size: int = eqx.field(static=True, default=4)
    walls: float = eqx.field(static=True, default=0.3)

    def __check_init__(self) -> None:
        if self.size < 2:
            raise TaskOptionError(f"A maze takes a size of at least 2; got size={self.size}.")
        check_sizes("A maze", _LARGEST, size=self.size)
        if not 0 <= self.walls <= _THICKEST:
            raise TaskOptionError(
                f"A maze takes walls with a probability from 0 to {_THICKEST}; got "
                f"walls={self.walls}."
            )
        self.check_length(2)

    def __repr__(self) -> str:
        return f"TextMaze({self.size}x{self.size}, walls={self.walls}, {self.answer_places} tokens)"

    @property
    def symbols(self) -> tuple[str, ...]:
        """What a cell is, a sign that asks, the moves and the end."""
        return _SYMBOLS

    @property
    def prompt_places(self) -> int:
        """The cells and a sign."""
        return self.size**2 + 1

    @property
    def usual_places(self) -> int:
        """As many as any walk in depth takes: twice each cell."""
        return 2 * self.size**2

    def prompt(self, key: Key[Array, ""]) -> Int[Array, " prompt_places"]:
        """The cells of a maze that has a way, drawn until there is one."""

        def stuck(drawn: tuple[Array, Array]) -> Bool[Array, ""]:
            return (drawn[0] == _GOAL).sum() == 0

        def again(drawn: tuple[Array, Array]) -> tuple[Array, Array]:
            now, then = jax.random.split(drawn[1])
            return self._cells(now), then

        nothing = jnp.zeros(self.size**2, jnp.int32), key
        cells, _ = jax.lax.while_loop(stuck, again, nothing)
        return jnp.append(cells, _ASKS).astype(jnp.int32)

    def examples(self, key: Key[Array, ""], kind: str) -> Int[Array, " places"]:
        """A maze with a way; ties and turns are drawn. It is cut where it is too long.

        Raises `UnknownNameError` for a kind that there is not.
        """
        self.check_kind(kind)
        ask, turn = jax.random.split(key)
        prompt = self.prompt(ask)
        walk = self._shortest if kind == "shortest" else self._in_depth
        return self.with_answer(prompt, walk(prompt[:-1], turn))

    def grade(self, tokens: Int[Array, " places"]) -> Float[Array, ""]:
        """The length of the shortest way over that of the one written, if it leads to the goal."""
        cells, moves = tokens[: self.size**2], self.answer(tokens)
        ended = (moves == self.end).any()
        count = jnp.argmax(moves == self.end)
        shortest = self.distances(cells)[jnp.argmax(cells == _START)]

        def step(here: Array, move: Array) -> tuple[Array, None]:
            over = (move == self.end) | (move < 0)
            return jnp.where(over, here, self._after(cells, here, move)), None

        last, _ = jax.lax.scan(step, jnp.argmax(cells == _START), moves)
        right = ended & (last >= 0) & (cells[last] == _GOAL)
        return jnp.where(right, shortest / jnp.maximum(count, 1), 0.0).astype(jnp.float32)

    def well_formed(self, state: TextState) -> Bool[Array, " symbols"]:
        """Moves into open cells, and the end."""
        cells, moves = state.tokens[: self.size**2], self.answer(state.tokens)

        def step(here: Array, move: Array) -> tuple[Array, None]:
            return jnp.where(move < 0, here, self._after(cells, here, move)), None

        here, _ = jax.lax.scan(step, jnp.argmax(cells == _START), moves)
        can = self._into(cells, here) >= 0
        none = jnp.zeros(len(_SYMBOLS), bool)
        return none.at[_MOVES + jnp.arange(4)].set(can).at[self.end].set(True)

    def table_seen(self, state: TextState) -> tuple[tuple[str, str], ...]:
        """The cells row by row, and the moves."""
        *rows, moves = self.render(state).split("\n")
        named = ((f"row {number}", row) for number, row in enumerate(rows, 1))
        return (*named, ("moves so far", moves.removeprefix(":").strip() or "none yet"))

    def render(self, state: TextState) -> str:
        """The cells in rows, and the moves below."""
        words = self.decode(np.asarray(state.tokens)).split(" ")
        rows = [words[k : k + self.size] for k in range(0, self.size**2, self.size)]
        return "\n".join(map(" ".join, [*rows, words[self.size**2 :]]))

    def distances(self, cells: Int[Array, " cells"]) -> Int[Array, " cells"]:
        """The number of moves to the goal from each cell; a million where there is no way."""
        open_, into = cells != _WALL, jnp.asarray(_neighbours(self.size))

        def nearer(_: Any, far: Array) -> Array:
            beside = jnp.where(into >= 0, far[into], _FAR).min(1) + 1
            return jnp.where(open_, jnp.minimum(jnp.minimum(far, beside), _FAR), _FAR)

        first = jnp.where(cells == _GOAL, 0, _FAR)
        return jax.lax.fori_loop(0, self.size**2, nearer, first)

    def _into(self, cells: Int[Array, " cells"], here: Int[Array, ""]) -> Int[Array, " 4"]:
        """The open cell that each move leads into; -1 where there is none."""
        into = jnp.asarray(_neighbours(self.size))[here]
        return jnp.where((into >= 0) & (cells[into] != _WALL), into, -1)

    def _after(
        self, cells: Int[Array, " cells"], here: Int[Array, ""], move: Int[Array, ""]
    ) -> Int[Array, ""]:
        """The cell after a token; -1 for one that is no move or leads into a wall, and for ever."""
        known = (here >= 0) & (move >= _MOVES) & (move < _MOVES + 4)
        return jnp.where(known, self._into(cells, here)[jnp.clip(move - _MOVES, 0, 3)], -1)

    def _cells(self, key: Key[Array, ""]) -> Int[Array, " cells"]:
        """Walls, a start and a goal; no goal where the start has no way to anywhere."""
        build, begin, finish = jax.random.split(key, 3)
        wall = jax.random.uniform(build, (self.size**2,)) < self.walls
        start = jax.random.categorical(begin, jnp.where(wall, -jnp.inf, 0.0))
        cells = jnp.where(wall, _WALL, _OPEN)
        far = self.distances(cells.at[start].set(_GOAL))
        can = (far > 0) & (far < _FAR) & ~wall.all()
        goal = jax.random.categorical(finish, jnp.where(can, 0.0, -jnp.inf))
        cells = cells.at[start].set(_START)
        # Of one kind with 64 bits enabled too, as what a loop carries must be.
        return jnp.where(can.any(), cells.at[goal].set(_GOAL), cells).astype(jnp.int32)

    def _shortest(
        self, cells: Int[Array, " cells"], key: Key[Array, ""]
    ) -> Int[Array, " answer_places"]:
        far = self.distances(cells)

        def step(here: Array, key: Key[Array, ""]) -> tuple[Array, Array]:
            into = self._into(cells, here)
            nearer = (into >= 0) & (far[into] < far[here])
            move = jax.random.categorical(key, jnp.where(nearer, 0.0, -jnp.inf))
            there = far[here] == 0
            token = jnp.where(there, self.end, _MOVES + move)
            return jnp.where(there, here, into[move]), token

        keys = jax.random.split(key, self.answer_places)
        return until(self.end, jax.lax.scan(step, jnp.argmax(cells == _START), keys)[1])

    def _in_depth(
        self, cells: Int[Array, " cells"], key: Key[Array, ""]
    ) -> Int[Array, " answer_places"]:
        """Into any cell not seen yet; where there is none, back to where one came from."""
        start = jnp.argmax(cells == _START)

        def step(walk: Walk, key: Key[Array, ""]) -> tuple[Walk, Array]:
            here, came = walk
            into = self._into(cells, here)
            new = (into >= 0) & (came[into] < 0)
            move = jax.random.categorical(key, jnp.where(new, 0.0, -jnp.inf))
            move = jnp.where(new.any(), move, jnp.argmax(into == came[here]))
            there = cells[here] == _GOAL
            after = jnp.where(there, here, into[move])
            came = jnp.where(new.any() & ~there, came.at[after].set(here), came)
            return (after, came), jnp.where(there, self.end, _MOVES + move)

        came = jnp.full(self.size**2, -1).at[start].set(start)
        keys = jax.random.split(key, self.answer_places)
        return until(self.end, jax.lax.scan(step, (start, came), keys)[1])


def _neighbours(size: int) -> Int[np.ndarray, "cells 4"]:
    """The cell to the left of, below, to the right of and above each; -1 outside."""
    rows, columns = np.divmod(np.arange(size**2)[:, None], size)
    down, across = np.array(_STEPS).T
    rows, columns = rows + down, columns + across
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    return np.where(inside, rows * size + columns, -1)
