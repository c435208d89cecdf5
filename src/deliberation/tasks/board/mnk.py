"""The m,n,k games, with and without gravity, as one small set of pure rules on bitboards.

A player wins by completing `k` in a line on a board of `width` x `height`; with gravity a stone
falls to the lowest free cell of its column and an action is a column (Connect Four), without it an
action is a cell, row by row from the top (tic-tac-toe).

Cells are bits: column by column, each column holding one spare bit above its top so that shifted
boards never wrap round. A board is `ceil(width * (height + 1) / 32)` uint32 words, two for Connect
Four. Everything is written word by word and column by column without small axes, so that `vmap`
turns it into long vector operations: a random playout costs tens of nanoseconds a ply.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ...core.objective import Objective
from ...core.picture import Picture, counted, every_cell, letters, squares
from ...core.task import Symmetry, Traits
from ..bases import AlternatingTask, MoverWins, check_sizes

TASKS = {
    "tic_tac_toe": {
        "summary": "Three in a row on 3x3; 5,478 states, solved exactly",
        "factory": "MNK",
        "options": {"width": 3, "height": 3, "k": 3, "gravity": False},
    },
    "connect_3_4x4": {
        "summary": "Connect-3 on 4 columns of 4, solved exactly",
        "factory": "MNK",
        "options": {"width": 4, "height": 4, "k": 3, "gravity": True},
    },
    "connect_4_5x4": {
        "summary": "Connect-4 on 5 columns of 4, solved exactly",
        "factory": "MNK",
        "options": {"width": 5, "height": 4, "k": 4, "gravity": True},
    },
    "connect_four": {
        "summary": "Connect Four on 7 columns of 6; 1,000 solved positions come with it",
        "factory": "MNK",
        "options": {"width": 7, "height": 6, "k": 4, "gravity": True},
    },
    "mnk": {
        "summary": "Any m,n,k game: options width, height, k, gravity",
        "factory": "MNK",
        "options": {"width": 7, "height": 7, "k": 4, "gravity": False},
    },
}

_WIDEST = 32

Words = tuple[UInt32[Array, ""], ...]


class MNKState(eqx.Module):
    """Stones of the player to move and of the other, the ply, and whether the last move won."""

    mine: Words
    theirs: Words
    ply: Int[Array, ""]
    won: Bool[Array, ""]


class LineWins(MoverWins):
    """1 for completing a line, -1 for the opponent, 0 for a draw."""


class MNK(AlternatingTask):
    """`k` in a row on `width` x `height`, with stones that fall or stay where they are put."""

    width: int = eqx.field(static=True)
    height: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    gravity: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        check_sizes("An m,n,k game", _WIDEST, width=self.width, height=self.height)
        if min(self.width, self.height, self.k) < 1 or self.k > max(self.width, self.height):
            raise ValueError(
                f"An m,n,k game needs positive sizes and a line that fits: got width={self.width}, "
                f"height={self.height}, k={self.k}."
            )

    def __repr__(self) -> str:
        fall = "gravity" if self.gravity else "no gravity"
        return f"MNK({self.width}x{self.height}, k={self.k}, {fall})"

    @property
    def traits(self) -> Traits:
        """Two players; an action for each column or for each cell."""
        cells = self.width * self.height
        return Traits(players=2, actions=self.width if self.gravity else cells, horizon=cells)

    @property
    def objective(self) -> Objective:
        """Winning is 1, losing -1, a draw 0."""
        return LineWins()

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Left and right; without gravity all eight of the square, or four of the rectangle."""
        return _symmetries(self.width, self.height, self.gravity)

    def init(self, key: Key[Array, ""]) -> MNKState:
        """The empty board."""
        del key
        empty = tuple(jnp.uint32(0) for _ in range(_layout(self.width, self.height).words))
        return MNKState(empty, empty, jnp.int32(0), jnp.bool_(False))

    def advance(self, state: MNKState, action: Int[Array, ""], key: Key[Array, ""]) -> MNKState:
        """Place a stone, look for a line through the whole board, and pass the move."""
        del key
        stone = self._drop(state, action) if self.gravity else self._cell(action)
        mine = tuple(m | s for m, s in zip(state.mine, stone, strict=True))
        won = _has_line(mine, self.k, self.height)
        return MNKState(state.theirs, mine, state.ply + 1, won)

    def observe(self, state: MNKState) -> Float[Array, "height width 2"]:
        """Own stones and the opponent's as two planes, the top row first."""
        layout = _layout(self.width, self.height)
        word, shift = jnp.asarray(layout.cell // 32), jnp.asarray(layout.cell % 32, jnp.uint32)
        planes = [(jnp.stack(b)[word] >> shift) & 1 for b in (state.mine, state.theirs)]
        return jnp.stack(planes, axis=-1).astype(jnp.float32)

    def legal(self, state: MNKState) -> Bool[Array, " actions"]:
        """Columns with room or empty cells, none once the game is over."""
        layout = _layout(self.width, self.height)
        full = tuple(m | t for m, t in zip(state.mine, state.theirs, strict=True))
        cells = layout.cell[0] if self.gravity else layout.cell.reshape(-1)
        free = jnp.stack([~_bit(full, int(c)) for c in cells])
        return free & ~self.terminated(state)

    def terminated(self, state: MNKState) -> Bool[Array, ""]:
        """A line or a full board ends the game."""
        return state.won | (state.ply >= self.width * self.height)

    def render(self, state: MNKState) -> str:
        """The board with X for the first player and O for the second."""
        rows = [" ".join(row) for row in self._marks(state)]
        return "\n".join([*rows, " ".join(str(c % 10) for c in range(self.width))])

    @property
    def action_names(self) -> tuple[str, ...]:
        """Squares, a1 at the lower left; columns that stones fall into are just numbered."""
        if self.gravity:
            return ()
        return squares(counted(self.height), letters(self.width))

    def picture(self, state: MNKState) -> Picture:
        """The board with X for the first player and O for the second."""
        marks = self._marks(state).tolist()
        cells = tuple(tuple("" if c == "." else c for c in row) for row in marks)
        rows = counted(self.height)
        if not self.gravity:
            places = every_cell(self.height, self.width)
            return Picture(cells, places, rows=rows, columns=letters(self.width))
        free = [sum(not row[c] for row in cells) - 1 for c in range(self.width)]
        places = tuple((row, c) if row >= 0 else None for c, row in enumerate(free))
        return Picture(cells, places, columns=tuple(map(str, range(self.width))))

    def _marks(self, state: MNKState) -> np.ndarray:
        planes = np.asarray(self.observe(state)).astype(int)
        marks = "XO" if int(state.ply) % 2 == 0 else "OX"
        return np.array([".", marks[0], marks[1]])[planes[..., 0] + 2 * planes[..., 1]]

    def _drop(self, state: MNKState, action: Int[Array, ""]) -> Words:
        """Adding the column's lowest bit to all stones carries up to the lowest free cell."""
        layout = _layout(self.width, self.height)
        full = [m | t for m, t in zip(state.mine, state.theirs, strict=True)]
        bottom = [jnp.uint32(0)] * layout.words
        column = [jnp.uint32(0)] * layout.words
        for c in range(self.width):
            here = action == c
            for w in range(layout.words):
                low, mask = layout.bottom[c][w], layout.column[c][w]
                bottom[w] = jnp.where(here, jnp.uint32(low), bottom[w]) if low else bottom[w]
                column[w] = jnp.where(here, jnp.uint32(mask), column[w]) if mask else column[w]
        carry, stone = jnp.uint32(0), []
        for f, b, c in zip(full, bottom, column, strict=True):
            part = f & c
            total = part + b + carry
            carry = ((total < part) | ((total == part) & (carry > 0))).astype(jnp.uint32)
            stone.append(total & ~f & c)
        return tuple(stone)

    def _cell(self, action: Int[Array, ""]) -> Words:
        layout = _layout(self.width, self.height)
        cell = jnp.asarray(layout.cell.reshape(-1))[action]
        one = jnp.uint32(1) << (cell % 32).astype(jnp.uint32)
        return tuple(jnp.where(cell // 32 == w, one, jnp.uint32(0)) for w in range(layout.words))


class _Layout:
    """Which bit each cell is, and the masks of columns, as Python integers."""

    def __init__(self, width: int, height: int):
        self.words = -(-width * (height + 1) // 32)
        column = np.arange(width)[None, :] * (height + 1)
        self.cell = column + np.arange(height - 1, -1, -1)[:, None]
        whole = (1 << height) - 1
        self.column = [self._split(whole << (c * (height + 1))) for c in range(width)]
        self.bottom = [self._split(1 << (c * (height + 1))) for c in range(width)]

    def _split(self, bits: int) -> list[int]:
        return [(bits >> (32 * w)) & 0xFFFFFFFF for w in range(self.words)]


@functools.cache
def _layout(width: int, height: int) -> _Layout:
    return _Layout(width, height)


def _bit(board: Words, cell: int) -> Bool[Array, ""]:
    return (board[cell // 32] >> jnp.uint32(cell % 32)) & 1 > 0


def _shift(board: Words, by: int) -> Words:
    """Shift right by a number of bits that is known when tracing, across words."""
    skip, by = divmod(by, 32)
    words = [*board[skip:], *[jnp.uint32(0)] * (skip + 1)]
    if by == 0:
        return tuple(words[: len(board)])
    return tuple(
        (words[i] >> jnp.uint32(by)) | (words[i + 1] << jnp.uint32(32 - by))
        for i in range(len(board))
    )


def _has_line(board: Words, k: int, height: int) -> Bool[Array, ""]:
    """Whether `k` set bits follow one another in any of the four directions."""
    found = jnp.bool_(False)
    for step in (1, height, height + 1, height + 2):
        run, length = board, 1
        while length < k:  # runs double, so four in a row takes two shifts
            by = min(length, k - length)
            run = tuple(a & b for a, b in zip(run, _shift(run, by * step), strict=True))
            length += by
        for word in run:
            found = found | (word != 0)
    return found


@functools.cache
def _symmetries(width: int, height: int, gravity: bool) -> tuple[Symmetry, ...]:
    def flip(x: Array) -> Array:
        return jnp.flip(x, 1)

    if gravity:
        return (Symmetry("mirror", flip, tuple(range(width))[::-1]),)
    turns = range(4) if width == height else (0, 2)
    maps = {}
    for turn in turns:
        maps[f"turn {90 * turn}"] = functools.partial(_turn, times=turn, mirror=False)
        maps[f"mirror, turn {90 * turn}"] = functools.partial(_turn, times=turn, mirror=True)
    del maps["turn 0"]
    with jax.ensure_compile_time_eval():  # symmetries may first be asked for inside of `jit`
        cells = jnp.arange(width * height).reshape(height, width)
        images = {name: np.asarray(move(cells)).reshape(-1) for name, move in maps.items()}
    return tuple(
        Symmetry(name, move, tuple(np.argsort(images[name]).tolist()))
        for name, move in maps.items()
    )


def _turn(x: Array, times: int, mirror: bool) -> Array:
    return jnp.rot90(jnp.flip(x, 1) if mirror else x, times)
