"""Chess of pgx and of OpenSpiel in the words of UCI: FEN, and moves such as e2e4 and a7a8q."""

import itertools
from typing import Any

import numpy as np
from jaxtyping import Array, Int

from ...core.task import Task, check_is_task
from ..open_spiel.game import chess_move
from ..open_spiel.task import SpielState, SpielTask
from ..pgx_worlds import PgxState, PgxTask
from .crew import Position, Words
from .decider import unplayable

_PAWN, _KING = 1, 6
Board = Int[np.ndarray, "files ranks"]


class SpielChess(Words):
    """OpenSpiel's chess, whose states are histories: the engine is told the whole game."""

    def __init__(self, task: SpielTask):
        self._game = task.game.spiel

    def facts(self, state: SpielState) -> tuple[Array, ...]:
        """The actions so far."""
        return state.history, state.length

    def position(self, legal: list[int], *facts: Any) -> Position:
        """The moves from the first position on."""
        history, length = facts
        state, moves = self._game.new_initial_state(), []
        for action in history[: int(length)].tolist():
            moves.append(chess_move(state, action))
            state.apply_action(action)
        side = "wb"[len(moves) % 2]
        setup = " ".join(["position startpos", *(["moves", *moves] if moves else [])])
        return Position((setup,), side, {chess_move(state, a): a for a in legal}, str(state))


class PgxChess(Words):
    """pgx's chess, whose states keep a board from the mover's view, and the last eight boards."""

    def __init__(self) -> None:
        from pgx._src.games.chess import FROM_PLANE

        # To which square, and as what, each of an action's 73 planes leads; read outside of `jit`.
        self._targets = np.asarray(FROM_PLANE)

    def facts(self, state: PgxState) -> tuple[Array, ...]:
        """What FEN tells, and what tells of repetitions."""
        x = state.inner._x
        return (
            x.color, x.castling_rights, x.en_passant, x.halfmove_count, x.fullmove_count,
            x.board_history, x.hash_history[..., : x.board_history.shape[-2], :],
        )  # fmt: skip

    def position(self, legal: list[int], *facts: Any) -> Position:
        """The position some moves ago as FEN, and those moves; repeated ones are seen by that."""
        colour, rights, passing, quiet, number, history, hashes = facts
        black = bool(colour)
        boards = [_whites(board, black) for board in history]
        castling = _castling(rights[::-1] if black else rights)
        square = "-" if passing < 0 else _square(int(passing), black)
        told = f"{_board(boards[0])} {'wb'[black]} {castling} {square} {int(quiet)} {int(number)}"
        moves = _reversible(boards, hashes, int(quiet))
        fen, back = told, len(moves)
        if back:
            side = (black + back) % 2
            # Black's moves raise the number.
            first = int(number) - (back + (not black)) // 2
            fen = f"{_board(boards[back])} {'wb'[side]} {castling} - {int(quiet) - back} {first}"
        setup = " ".join(["position fen", fen, *(["moves", *moves[::-1]] if moves else [])])
        words = {self._move(a, boards[0], black): a for a in legal}
        return Position((setup,), "wb"[black], words, told)

    def _move(self, action: int, board: Board, black: bool) -> str:
        origin, plane = divmod(action, 73)
        target = int(self._targets[origin, plane])
        piece = abs(board[origin // 8, 7 - origin % 8 if black else origin % 8])
        queened = "q" if piece == _PAWN and origin % 8 == 6 else ""
        promoted = "rbn"[plane // 3] if plane < 9 else queened
        return _square(origin, black) + _square(target, black) + promoted


def _whites(board: np.ndarray, black: bool) -> Board:
    """A board of the mover's as white sees it: white's pieces positive, files by ranks."""
    files = board.reshape(8, 8)
    return -files[:, ::-1] if black else files


def _square(index: int, black: bool) -> str:
    file, rank = divmod(index, 8)
    return f"{'abcdefgh'[file]}{(8 - rank) if black else rank + 1}"


def _castling(rights: np.ndarray) -> str:
    """Of white's and black's rights to castle, queen's side first."""
    letters = (("K", rights[0, 1]), ("Q", rights[0, 0]), ("k", rights[1, 1]), ("q", rights[1, 0]))
    return "".join(letter for letter, kept in letters if kept) or "-"


def _board(board: Board) -> str:
    """The first field of FEN: ranks from the eighth down, empty squares counted."""
    ranks = []
    for rank in range(7, -1, -1):
        signs = [" PNBRQKkqrbnp"[piece] for piece in board[:, rank].tolist()]
        runs = itertools.groupby(signs, key=lambda sign: sign == " ")
        parts = [(str(len(list(run))) if empty else "".join(run)) for empty, run in runs]
        ranks.append("".join(parts))
    return "/".join(ranks)


def _reversible(boards: list[Board], hashes: np.ndarray, quiet: int) -> list[str]:
    """The last moves, the latest first, as far as they took, pushed and castled nothing.

    Earlier ones repeat nothing. The rights to castle are taken not to have changed on the way: it
    goes back only while pgx holds alike what looks alike.
    """
    moves: list[str] = []
    for back in range(1, min(len(boards) - 1, quiet) + 1):
        move = _step(boards[back], boards[back - 1])
        alike = [i for i in range(back % 2, back, 2) if (boards[i] == boards[back]).all()]
        if move is None or any((hashes[i] != hashes[back]).any() for i in alike):
            break
        moves.append(move)
    return moves


def _step(before: Board, after: Board) -> str | None:
    """The move of one piece between two boards; None for anything else."""
    if (np.abs(before) == _KING).sum() != 2:
        return None  # none is kept from before the first position
    changed: Any = np.argwhere(before != after).tolist()
    if len(changed) != 2:
        return None
    origin, target = sorted(changed, key=lambda at: after[*at] != 0)
    if after[*origin] != 0 or before[*target] != 0 or before[*origin] != after[*target]:
        return None
    return "".join(_square(8 * file + rank, False) for file, rank in (origin, target))


def chess_of(task: Task) -> Words:
    """The words for a task that is chess. Raises `UnsuitableTaskError` for others."""
    check_is_task(task)
    if isinstance(task, PgxTask) and task.game == "chess":
        return PgxChess()
    if isinstance(task, SpielTask):
        kind, options = task.game.spiel.get_type().short_name, task.game.spiel.get_parameters()
        if kind == "chess" and not options.get("chess960"):
            return SpielChess(task)
    instead = "from_pgx('chess') or from_open_spiel('chess')"
    raise unplayable("Engines that speak UCI play chess", task, instead)
