"""Go of this library, of pgx and of OpenSpiel in the words of GTP: points such as E5, and PASS."""

from typing import Any

import numpy as np
from jaxtyping import Array

from ...core.task import State, Task, check_is_task
from ...tasks.board.go import Go
from ..open_spiel.task import SpielState, SpielTask
from ..pgx_worlds import PgxTask
from .crew import Position, Words
from .decider import unplayable

_COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
_PASS = "PASS"


class GoWords(Words):
    """What both kinds of states have in common: a board of some size, and komi."""

    size: int
    komi: float

    @property
    def board(self) -> tuple[str, ...]:
        """The commands that set up an empty board."""
        return f"boardsize {self.size}", "clear_board", f"komi {self.komi:g}"

    def point(self, action: int) -> str:
        """The point of an action, counted from the top row; the last one passes."""
        if action == self.size**2:
            return _PASS
        row, column = divmod(action, self.size)
        return f"{_COLUMNS[column]}{self.size - row}"


def go_of(task: Task) -> GoWords:
    """The words for a task that is Go. Raises `UnsuitableTaskError` for others."""
    check_is_task(task)
    if isinstance(task, Go):
        return BoardGo(task.size, task.komi, pgx=False)
    if isinstance(task, PgxTask) and task.game.startswith("go_"):
        rules = task.env._game
        return BoardGo(rules.size, rules.komi, pgx=True)
    if isinstance(task, SpielTask) and task.game.spiel.get_type().short_name == "go":
        options = task.game.spiel.get_parameters()
        if not options.get("handicap"):
            return SpielGo(task)
    instead = "make_task('go_9x9'), from_pgx('go_9x9') or from_open_spiel('go', board_size=9)"
    raise unplayable("Engines that speak GTP play Go, here without handicap", task, instead)


class SpielGo(GoWords):
    """OpenSpiel's Go, whose states are histories: the engine is told the whole game."""

    def __init__(self, task: SpielTask):
        self._game = task.game.spiel
        options = self._game.get_parameters()
        self.size, self.komi = options["board_size"], options["komi"]

    def facts(self, state: SpielState) -> tuple[Array, ...]:
        """The actions so far."""
        return state.history, state.length

    def position(self, legal: list[int], *facts: Any) -> Position:
        """All moves, from the empty board on."""
        history, length = facts
        state = self._game.new_initial_state()
        words = {state.action_to_string(a).split()[1].upper(): a for a in state.legal_actions()}
        names = {action: word for word, action in words.items()}
        played = [names[a] for a in history[: int(length)].tolist()]
        lines = [f"play {'bw'[ply % 2]} {point}" for ply, point in enumerate(played)]
        told = f"after {' '.join(played)}" if played else "the empty board"
        moves = {names[a]: a for a in legal}
        return Position((*self.board, *lines), "bw"[len(played) % 2], moves, told)


class BoardGo(GoWords):
    """Go of this library or of pgx, whose states are boards: the stones are put down one by one.

    Any order is legal, for a part of a chain has the rest of it for liberties. The last move is
    told where it matters: a stone that took one in a ko, and a pass.
    """

    def __init__(self, size: int, komi: float, *, pgx: bool):
        self.size, self.komi, self._pgx = size, float(komi), pgx

    def facts(self, state: State) -> tuple[Array, ...]:
        """The stones, the point that must not be retaken, passes in a row, and the ply."""
        if self._pgx:
            x = state.inner._x
            return x.board, x.ko, x.consecutive_pass_count, x.step_count
        return state.board, state.ko, state.passes, state.ply

    def position(self, legal: list[int], *facts: Any) -> Position:
        """The stones, and what else decides which moves are legal."""
        board, ko, passes, ply = facts
        board, ko = np.sign(board).astype(int), int(ko)
        mine, theirs = ("b", "w") if ply % 2 == 0 else ("w", "b")
        before, last = board, []
        if ko >= 0 and (taker := self._taker(board, ko)) is not None:
            before = board.copy()
            before[ko], before[taker] = -board[taker], 0
            last = [f"play {theirs} {self.point(taker)}"]
        elif passes:
            last = [f"play {theirs} {_PASS}"]
        stones = [
            f"play {'wb'[int(before[p] > 0)]} {self.point(int(p))}" for p in np.flatnonzero(before)
        ]
        rows = ["".join(".XO"[c] for c in row) for row in board.reshape(self.size, self.size)]
        told = f"{'/'.join(rows)} {mine} (X black, O white" + (
            ")" if ko < 0 else f", ko at {self.point(ko)})"
        )
        moves = {self.point(a): a for a in legal}
        return Position((*self.board, *stones, *last), mine, moves, told)

    def _taker(self, board: np.ndarray, ko: int) -> int | None:
        """The stone that has just taken one in a ko: its only liberty is there."""
        for point in self._near(ko):
            others = [board[q] for q in self._near(point) if q != ko]
            if board[point] != 0 and all(colour == -board[point] for colour in others):
                return point
        return None

    def _near(self, point: int) -> list[int]:
        row, column = divmod(point, self.size)
        around = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        inside = range(self.size)
        return [r * self.size + c for r, c in around if r in inside and c in inside]
