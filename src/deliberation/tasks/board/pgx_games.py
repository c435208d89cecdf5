"""Hex of any size and Othello, by the rules of pgx 2.6 (Koyamada et al. 2023).

Only the rules are pgx's: states here keep a board and little else, observations are computed when
they are asked for, and player 0 always moves first.
"""

import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key
from pgx import othello as othello_rules
from pgx._src.games import hex as hex_rules

from ...core.objective import Objective
from ...core.picture import Picture, counted, every_cell, in_rows, letters, squares
from ...core.task import Symmetry, Task, Traits
from ..bases import AlternatingTask, MoverWins, WinOrLoss, signed

TASKS = {
    "hex": {
        "summary": "Connect your two sides of a rhombus; options size and swap",
        "factory": "Hex",
        "options": {"size": 5, "swap": False},
    },
    "hex_3x3": {
        "summary": "Hex on 3x3, solved exactly: the first player wins",
        "factory": "Hex",
        "options": {"size": 3, "swap": False},
    },
    "othello": {
        "summary": "Othello on 8x8, with passes",
        "factory": "Othello",
        "options": {},
    },
}


class HexState(eqx.Module):
    """Groups by number, positive for the player to move and negative for the other, 0 if empty."""

    board: Int[Array, " cells"]
    ply: Int[Array, ""]
    won: Bool[Array, ""]


class LastMoverWins(MoverWins):
    """1 for whoever connects, -1 for the opponent: Hex has no draws."""


class Hex(AlternatingTask):
    """Player 0 connects the top with the bottom row, player 1 the left with the right column.

    `swap` adds one action, the last: player 1 may answer the first stone by taking it over,
    reflected in the long diagonal. Without it the first player wins every size.
    """

    size: int = eqx.field(static=True, default=11)
    swap: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if not 2 <= self.size <= 26:
            raise ValueError(f"A Hex board has a size from 2 to 26; got {self.size}.")

    def __repr__(self) -> str:
        return f"Hex({self.size}x{self.size}{', swap' if self.swap else ''})"

    @property
    def traits(self) -> Traits:
        """An action for each cell, row by row, and one for the swap where it is played."""
        count = self.size**2 + self.swap
        return Traits(players=2, actions=count, horizon=count)

    @property
    def objective(self) -> Objective:
        """Connecting is 1, being connected against is -1."""
        return LastMoverWins()

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Half a turn keeps every side with its player."""
        cells = tuple(range(self.size**2))[::-1]
        return (Symmetry("turn 180", _half_turn, cells + (self.size**2,) * self.swap),)

    def init(self, key: Key[Array, ""]) -> HexState:
        """The empty board."""
        del key
        return HexState(jnp.zeros(self.size**2, jnp.int16), jnp.int32(0), jnp.bool_(False))

    def advance(self, state: HexState, action: Int[Array, ""], key: Key[Array, ""]) -> HexState:
        """Place a stone and merge the groups it touches, or swap."""
        del key
        board = state.board.astype(jnp.int32)
        before = hex_rules.GameState(state.ply, board, state.won)
        if self.swap:
            after = hex_rules.Game(self.size).step(before, action)
        else:
            after = hex_rules._step(before, action, self.size)
        return HexState(after.board.astype(jnp.int16), after.step_count, after.terminated)

    def observe(self, state: HexState) -> Float[Array, "size size planes"]:
        """Own stones, the opponent's, and which player is to move; one more where a swap is open.

        The board is not turned for player 1, so that actions mean the same for both.
        """
        board = state.board.reshape(self.size, self.size)
        planes = [board > 0, board < 0, jnp.broadcast_to(state.ply % 2 == 1, board.shape)]
        if self.swap:
            planes.append(jnp.broadcast_to(state.ply == 1, board.shape))
        return jnp.stack(planes, axis=-1).astype(jnp.float32)

    def legal(self, state: HexState) -> Bool[Array, " actions"]:
        """Empty cells, and the swap as the second move."""
        free = state.board == 0
        if self.swap:
            free = jnp.append(free, state.ply == 1)
        return free & ~state.won

    def terminated(self, state: HexState) -> Bool[Array, ""]:
        """A full board is always connected, so a connection is the only end."""
        return state.won

    def fingerprint(self, state: HexState) -> Int[Array, " words"]:
        """Who holds which cell and who moves; the numbers of the groups tell only the history."""
        return jnp.append(jnp.sign(state.board).astype(jnp.int32), state.ply % 2)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Cells, a1 at the upper left; swap."""
        cells = squares(counted(self.size, up=False), letters(self.size))
        return (*cells, "swap") if self.swap else cells

    def picture(self, state: HexState) -> Picture:
        """The rhombus with X for player 0 (top to bottom) and O for player 1 (left to right)."""
        marks = ("", "X", "O") if int(state.ply) % 2 == 0 else ("", "O", "X")
        stones = [marks[s] for s in np.sign(np.asarray(state.board)).tolist()]
        return Picture(
            in_rows(stones, self.size),
            (*every_cell(self.size, self.size), *([None] if self.swap else [])),
            rows=counted(self.size, up=False), columns=letters(self.size), lean=0.5,
        )  # fmt: skip

    def render(self, state: HexState) -> str:
        """The rhombus with X for player 0 (top to bottom) and O for player 1 (left to right)."""
        stones = np.sign(np.asarray(state.board)).reshape(self.size, self.size)
        marks = ".XO" if int(state.ply) % 2 == 0 else ".OX"
        rows = (" ".join(marks[s] for s in row) for row in stones)
        return "\n".join(" " * i + row for i, row in enumerate(rows))


class OthelloState(eqx.Module):
    """Discs, 1 for the player to move and -1 for the other; legal actions are kept for speed."""

    board: Int[Array, " 64"]
    turn: Int[Array, ""]
    passed: Bool[Array, ""]
    over: Bool[Array, ""]
    open: Bool[Array, " 65"]


class MostDiscsWin(WinOrLoss):
    """1 for having more discs at the end, -1 for fewer, 0 for as many."""

    def score(
        self, state: OthelloState, action: Int[Array, ""], after: OthelloState
    ) -> Float[Array, ""]:
        """Counts at the end, from the side of whoever would move next."""
        del state, action
        lead = jnp.sign(after.board.astype(jnp.float32).sum()) * after.over
        return signed(after.turn, lead)


class Othello(Task):
    """Othello on 8x8. Action 64 passes, and is legal only where nothing else is."""

    def __repr__(self) -> str:
        return "Othello()"

    @property
    def traits(self) -> Traits:
        """Sixty cells to fill, and between two of them at most one pass; two passes end it."""
        return Traits(players=2, actions=65, horizon=120)

    @property
    def objective(self) -> Objective:
        """The sign of the difference in discs."""
        return MostDiscsWin()

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Half a turn and both diagonals: those of the square that keep the first position.

        The other four keep the rules but exchange the colours of the start, so that they map
        positions of play to positions that play never reaches.
        """
        return _othello_symmetries()

    def init(self, key: Key[Array, ""]) -> OthelloState:
        """Four discs in the middle, player 0 (black) to move."""
        return _from_pgx(othello_rules._init(key), jnp.int32(0))

    def advance(
        self, state: OthelloState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> OthelloState:
        """Place a disc and turn the enclosed ones, or pass."""
        del key
        inner = othello_rules.GameState(state.turn, state.board.astype(jnp.int32), state.passed)
        before = othello_rules.State(
            current_player=state.turn, legal_action_mask=state.open, _x=inner
        )
        return _from_pgx(othello_rules._step(before, action), 1 - state.turn)

    def observe(self, state: OthelloState) -> Float[Array, "8 8 2"]:
        """Own discs and the opponent's as two planes."""
        board = state.board.reshape(8, 8)
        return jnp.stack([board > 0, board < 0], axis=-1).astype(jnp.float32)

    def legal(self, state: OthelloState) -> Bool[Array, " actions"]:
        """Cells that enclose a disc; only where there are none, the pass."""
        return state.open & ~state.over

    def player(self, state: OthelloState) -> Int[Array, ""]:
        """Players alternate; passing is an action."""
        return state.turn

    def terminated(self, state: OthelloState) -> Bool[Array, ""]:
        """A full board, two passes, or a player without discs."""
        return state.over

    def fingerprint(self, state: OthelloState) -> Int[Array, " words"]:
        """The discs, who moves, whether a pass would end the game, and whether it is over."""
        closing = state.passed & state.open[64]
        facts = jnp.stack([state.turn, closing.astype(jnp.int32), state.over.astype(jnp.int32)])
        return jnp.concatenate([state.board.astype(jnp.int32), facts])

    @property
    def action_names(self) -> tuple[str, ...]:
        """Squares, a1 at the upper left; pass."""
        return (*squares(counted(8, up=False), letters(8)), "pass")

    def picture(self, state: OthelloState) -> Picture:
        """The board with X for player 0 (black) and O for player 1 (white)."""
        marks = ("", "X", "O") if int(state.turn) == 0 else ("", "O", "X")
        discs = [marks[s] for s in np.asarray(state.board).tolist()]
        return Picture(
            in_rows(discs, 8), (*every_cell(8, 8), None),
            rows=counted(8, up=False), columns=letters(8),
        )  # fmt: skip

    def render(self, state: OthelloState) -> str:
        """The board with X for player 0 (black) and O for player 1 (white)."""
        marks = ".XO" if int(state.turn) == 0 else ".OX"
        board = np.asarray(state.board).reshape(8, 8)
        return "\n".join(" ".join(marks[s] for s in row) for row in board)


def _from_pgx(state: othello_rules.State, turn: Int[Array, ""]) -> OthelloState:
    board = jnp.sign(state._x.board).astype(jnp.int8)
    passed, over = jnp.asarray(state._x.passed), jnp.asarray(state.terminated)
    return OthelloState(board, turn, passed, over, state.legal_action_mask)


def _half_turn(x: Array | np.ndarray) -> Any:
    return x[::-1, ::-1]


def _diagonal(x: Array | np.ndarray) -> Any:
    return x.swapaxes(0, 1)


def _antidiagonal(x: Array | np.ndarray) -> Any:
    return x[::-1, ::-1].swapaxes(0, 1)


@functools.cache
def _othello_symmetries() -> tuple[Symmetry, ...]:
    cells = np.arange(64).reshape(8, 8)  # no JAX array: this may first be asked for inside of `jit`
    moves = {"turn 180": _half_turn, "diagonal": _diagonal, "antidiagonal": _antidiagonal}
    # All three undo themselves, so the map of cells is its own inverse.
    return tuple(
        Symmetry(name, move, (*move(cells).reshape(-1).tolist(), 64))
        for name, move in moves.items()
    )
