"""This library's backgammon for GNU Backgammon: all ways to play out the dice, as boards."""

from typing import Any

import numpy as np
from jaxtyping import Array

from ...core.task import Task, check_is_task
from ...tasks.board.backgammon import Backgammon, BackgammonState
from .crew import Position, Words
from .decider import unplayable

_BAR, _THEIR_BAR, _OFF, _THEIR_OFF, _HOME, _ALL = 24, 25, 26, 27, 18, 15
Board = tuple[int, ...]


def backgammon_of(task: Task) -> Words:
    """The words for a task that is backgammon. Raises `UnsuitableTaskError` for others."""
    check_is_task(task)
    if isinstance(task, Backgammon):
        return BackgammonWords()
    raise unplayable("GNU Backgammon plays backgammon", task, "make_task('backgammon')")


class BackgammonWords(Words):
    """A turn is played one checker at a time: the rest of it is looked through before each.

    `setup` has a line for each board that the turn can end in: the first move towards it, the
    points that it wins at once, and the checkers of the other player and of the mover on their own
    points 1 to 24 and on the bar, as they see the board.
    """

    def facts(self, state: BackgammonState) -> tuple[Array, ...]:
        """The board, and the dice that may still be played."""
        return state.board, state.unused

    def position(self, legal: list[int], *facts: Any) -> Position:
        """Boards after the turn, from the legal first moves on."""
        board: Board = tuple(facts[0].tolist())
        dice = tuple(die for die in facts[1].tolist() if die >= 0)
        moves = {_word(action): action for action in legal}
        ends: dict[Board, str] = {}
        for word, action in moves.items():
            place, die = divmod(action, 6)
            after, left = board, ()
            if place:
                after, left = _moved(board, _source(place), die), _without(dice, die)
            for end in _played(after, left):
                ends.setdefault(end, word)
        lines = tuple(f"{word} {_won(end)} {_sides(end)}" for end, word in ends.items())
        unused = "-".join(str(die + 1) for die in dice)
        return Position(lines, "w", moves, f"{_sides(board)} to play {unused}")


def _source(place: int) -> int:
    return _BAR if place == 1 else place - 2


def _word(action: int) -> str:
    """A move in the mover's own numbers, as in 13/8, bar/22 and 6/off."""
    place, die = divmod(action, 6)
    if place == 0:
        return "pass"
    start = 25 if place == 1 else 24 - _source(place)
    end = start - die - 1
    return f"{'bar' if place == 1 else start}/{end if end > 0 else 'off'}"


def _moved(board: Board, source: int, die: int) -> Board:
    """The board after one checker has moved, and has hit what stood alone."""
    after, target = list(board), die if source == _BAR else source + die + 1
    after[source] -= 1
    if target >= _BAR:
        after[_OFF] += 1
    else:
        if after[target] == -1:
            after[target], after[_THEIR_BAR] = 0, after[_THEIR_BAR] - 1
        after[target] += 1
    return tuple(after)


def _sources(board: Board, die: int) -> list[int]:
    """From where a checker can move by a die (0 for one pip)."""
    if board[_BAR] > 0:
        return [_BAR] if board[die] >= -1 else []
    own = [place for place in range(24) if board[place] > 0]
    rear = own[0] if own else 24
    found = []
    for place in own:
        target = place + die + 1
        exact = target == 24 or (target > 24 and place == rear)
        if (target < 24 and board[target] >= -1) or (exact and rear >= _HOME):
            found.append(place)
    return found


def _without(dice: tuple[int, ...], die: int) -> tuple[int, ...]:
    at = dice.index(die)
    return dice[:at] + dice[at + 1 :]


def _played(board: Board, dice: tuple[int, ...]) -> set[Board]:
    """The boards in which a turn can end that goes on with these dice."""
    reached, ends = {(board, dice)}, set[Board]()
    while reached:
        later = set()
        for here, left in reached:
            steps = [(source, die) for die in set(left) for source in _sources(here, die)]
            if not steps or here[_OFF] == _ALL:
                ends.add(here)
            later |= {
                (_moved(here, source, die), _without(left, die))
                for source, die in steps
                if here[_OFF] != _ALL
            }
        reached = later
    return ends


def _won(board: Board) -> int:
    """The points that the mover has won: 0 while there are checkers left to bear off."""
    if board[_OFF] != _ALL:
        return 0
    gammon = board[_THEIR_OFF] == 0
    return 1 + gammon + (gammon and any(board[_HOME:_BAR]))


def _sides(board: Board) -> str:
    points = np.array(board[:24])
    theirs = [*np.maximum(-points, 0).tolist(), -board[_THEIR_BAR]]
    mine = [*np.maximum(points[::-1], 0).tolist(), board[_BAR]]
    return f"{','.join(map(str, theirs))} {','.join(map(str, mine))}"
