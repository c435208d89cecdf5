"""What can be won from an opponent at random, against other ways to the same number."""

import functools

import numpy as np
import optima
import pytest

from deliberation.core import misere
from deliberation.core.errors import TooLargeError
from deliberation.direct import list_histories, return_against_random
from deliberation.tasks import make_task

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


@functools.cache
def against_random(board: str, seat: int, win: float = 1.0) -> float:
    """Tic-tac-toe by plain recursion over boards such as "x.o......", for a line worth `win`."""
    mover = board.count("x") - board.count("o")  # 0 is x, who begins
    if any(board[a] != "." and board[a] == board[b] == board[c] for a, b, c in LINES):
        return win if mover != seat else -win
    empty = [i for i in range(9) if board[i] == "."]
    if not empty:
        return 0.0
    boards = [board[:i] + "xo"[mover] + board[i + 1 :] for i in empty]
    after = [against_random(board, seat, win) for board in boards]
    return max(after) if mover == seat else sum(after) / len(after)


def test_tic_tac_toe_by_recursion():
    """The first player wins all but one game of 192, which is drawn."""
    found = return_against_random(make_task("tic_tac_toe"))
    assert found == pytest.approx([against_random("." * 9, seat) for seat in range(2)], abs=1e-12)
    assert found is not None and found[0] == pytest.approx(191 / 192)


def test_another_objective_is_another_best():
    task = make_task("tic_tac_toe")
    found = return_against_random(task, misere(task.objective))
    expected = [against_random("." * 9, seat, -1.0) for seat in range(2)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_kuhn_poker_by_trying_every_pure_strategy():
    uniform = np.full((3, 4), 0.5)
    expected = [optima.kuhn_best_response(uniform, seat) for seat in range(2)]
    assert return_against_random(make_task("kuhn_poker")) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["gridworld", "connect_four", "backgammon"])
def test_none_where_it_cannot_be_listed(name):
    assert return_against_random(make_task(name), max_states=2_000) is None


def test_a_game_too_large_for_memory_is_refused_before_it_is_listed():
    with pytest.raises(TooLargeError, match="max_bytes"):
        list_histories(make_task("kuhn_poker"), max_bytes=100)
