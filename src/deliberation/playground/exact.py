"""The exact answer, where it is known: all states listed once, and valued anew for each goal."""

from importlib import resources
from typing import Any, NamedTuple

import jax
import numpy as np

from ..core.errors import ContractError, NoLegalActionError, TooLargeError, UnsuitableTaskError
from ..core.task import State, Task
from ..direct.exact import enumerate_states, value_iteration
from ..direct.exact.dynamic_programming import Table
from ..direct.exact.states import Reached
from ..tasks.board.solved import solved_connect_four
from . import limits
from .goals import Goal, objective_of
from .kept import Kept
from .settings import sentence_of
from .worlds import Spot, batched, world

_LISTED, _VALUED, _BELOW, _FILE = Kept(8), Kept(32), Kept(64), Kept(1)


class Exact(NamedTuple):
    """The value of each action (minus infinity where illegal) and the best ones, for the mover.

    All actions that keep the value are best. Where it is known, `plies` says how many moves each
    action is from the end, itself included, if both play on as well as they can (NaN where
    illegal), and `first` is the one to play: the quickest win, the slowest loss.
    """

    values: np.ndarray
    best: np.ndarray
    value: float
    how: str
    plies: np.ndarray | None = None
    first: int | None = None

    @property
    def action(self) -> int:
        """One of the best."""
        return int(np.flatnonzero(self.best)[0]) if self.first is None else self.first


def exact(spot: Spot, state: State) -> Exact | str:
    """The exact answer at a position, or a sentence on why it is not known."""
    task, goal = world(spot.task), spot.goal
    reason = _unsuitable(task)
    if reason:
        return reason
    kept = None if goal else _from_file(task, state)
    if kept is not None:  # At once, where listing takes seconds to find out that it is too much.
        return kept
    listed = listing(spot.task)
    if isinstance(listed, Reached) and listed.find(batched(state))[0] >= 0:
        table = _VALUED.get((spot.task, goal), lambda: _valued(listed, goal))
        return _read(table, state, f"of {len(table.values):,} states, listed and valued")
    below = _BELOW.get((spot.task, *_words(task, state)), lambda: _list_from(task, state))
    if isinstance(below, Reached):
        table = _valued(below, goal)
        return _read(table, state, f"of all {len(table.values):,} states that can follow")
    return f"Not known here: more than {limits.STATES:,} states can follow."


def listing(name: str) -> Reached | str:
    """Every state of a task, or why they are not listed."""
    task = world(name)
    return _unsuitable(task) or _LISTED.get(name, lambda: _list_from(task, None))


def _unsuitable(task: Task) -> str:
    traits = task.traits
    if not traits.fully_observable:
        return "Not known: something is hidden."
    if traits.players > 2 or not (traits.deterministic or traits.outcomes):
        return "Not known: chance cannot be listed here."
    return ""


def _list_from(task: Task, state: State | None) -> Reached | str:
    start = None if state is None else batched(state)
    try:
        return enumerate_states(task, start=start, max_states=limits.STATES)
    except (TooLargeError, UnsuitableTaskError, ContractError, NoLegalActionError) as error:
        return sentence_of(error)


def _valued(listed: Reached, goal: Goal) -> Table:
    return value_iteration(listed, objective_of(listed.task, goal))


def _read(table: Table, state: State, how: str) -> Exact:
    row = table.find(batched(state))[0]
    return Exact(table.action_values[row], table.policy[row] > 0, float(table.values[row]), how)


def _words(task: Task, state: State) -> tuple[int, ...]:
    return tuple(np.asarray(task.fingerprint(state)).ravel().tolist())


def _from_file(task: Task, state: State) -> Exact | None:
    """A position of Connect Four that was solved beforehand: won, drawn or lost, by each move."""
    known = _FILE.get("connect four", _solved_rows)
    if known is None or repr(task) != repr(known[0].task):
        return None
    positions, rows = known
    row = rows.get(_words(task, state))
    if row is None:
        return None
    left = positions.action_scores[row]
    values = np.where(np.isnan(left), -np.inf, np.sign(left))
    first = int(np.flatnonzero(positions.optimal[row])[0])
    value, best = float(np.sign(positions.scores[row])), np.asarray(positions.keeps[row])
    return Exact(values, best, value, "solved beforehand", _plies(task, state, left), first)


def _plies(task: Any, state: Any, left: np.ndarray) -> np.ndarray:
    """Moves to the end by each action's score: how many stones its winner has left by then."""
    cells, played = task.width * task.height, int(state.ply)
    mine, theirs = played // 2, (played + 1) // 2
    # The winner's last stone is the move after which so many of the half of all are left.
    stones = cells // 2 + 1 - np.abs(left)
    mine, theirs = played // 2, (played + 1) // 2
    if played % 2:
        mine, theirs = played // 2, played // 2 + 1
    won, lost = 2 * (stones - mine) - 1, 2 * (stones - theirs)
    return np.where(left > 0, won, np.where(left < 0, lost, cells - played + 0 * left))


def solved_moves(name: str) -> list[str]:
    """The moves to each position whose exact answer comes with a task; none for most tasks."""
    if name != "connect_four":
        return []
    file = resources.files("deliberation.tasks") / "data" / "connect_four_exact.txt"
    games = (line.split()[0] for line in file.read_text(encoding="ascii").splitlines())
    return [" ".join(str(int(column) - 1) for column in game) for game in games]


def _solved_rows() -> Any:
    positions = solved_connect_four()
    prints = np.asarray(jax.vmap(positions.task.fingerprint)(positions.states))
    return positions, {tuple(p.ravel().tolist()): i for i, p in enumerate(prints)}
