"""GNU Backgammon, asked through the Python that it has inside: `from_gnubg`."""

import os
from collections.abc import Sequence
from pathlib import Path

from ...core.budget import Budget
from ...core.task import Task
from .backgammon import backgammon_of
from .crew import Asked, Protocol, Reply, Talk
from .decider import EngineDecider, started
from .process import found

_ANSWERS = Path(__file__).with_name("gnubg_answers.py")
_FLAGS = ("--tty", "--quiet", "--no-rc", "--python", str(_ANSWERS))
_PLIES, _KEPT = 3, 8
"""The most plies that are asked for, and how many boards are looked at that deep."""


class Gnubg(Protocol):
    """The words of `gnubg_answers`. Boards after the turn are valued for who is on roll then."""

    name, timed, counted, farewell = "from_gnubg", False, False, ""

    def greet(self, talk: Talk) -> None:
        """Wait until it is ready."""
        while talk.hear("`ready`, as GNU Backgammon with Python inside does,") != "ready":
            pass

    def ask(self, talk: Talk, asked: Asked) -> Reply:
        """The first move towards the board that is worst for the other player.

        All are valued without looking ahead, and the best of them again at the plies asked for.
        """
        ends = [line.split() for line in asked.position.setup]
        worth = [float(points) for _, points, *_ in ends]
        plies = min(asked.effort or 0, _PLIES)
        rows = [row for row, points in enumerate(worth) if points == 0]
        for depth, kept in ((0, len(rows)), *(((plies, _KEPT),) if plies else ())):
            rows = sorted(rows, key=lambda row: -worth[row])[:kept]
            told = self._equities(talk, depth, [ends[row] for row in rows])
            for row, equity in zip(rows, told, strict=True):
                worth[row] = -equity
        best = max((*rows, *(r for r, x in enumerate(ends) if x[1] != "0")), key=worth.__getitem__)
        return Reply(ends[best][0], worth[best], 1)

    def _equities(self, talk: Talk, plies: int, ends: list[list[str]]) -> list[float]:
        """What boards are worth to the player on roll, whose checkers come last."""
        if not ends:
            return []
        # The mover is the player not on roll once the turn is over.
        talk.say(" ".join([str(plies), *(f"{mine} {theirs}" for *_, theirs, mine in ends)]))
        while not (line := talk.hear("equities")).startswith("equities"):
            pass
        told = line.split()[1:]
        try:
            found = [float(x) for x in told]
        except ValueError:
            found = []
        if len(found) != len(ends):
            raise talk.error(f"gave {told} for the equities of {len(ends)} boards.")
        return found


def from_gnubg(
    task: Task, command: str | os.PathLike[str] | Sequence[str] = "gnubg", *,
    budget: Budget | int = 2, timeout: float | int = 60.0, start_timeout: float | int = 30.0,
    workers: int = 1,
) -> EngineDecider:  # fmt: skip
    """GNU Backgammon on this library's backgammon: `from_gnubg(make_task("backgammon"))`.

    A turn is played one checker at a time, so before each move all boards that the turn can still
    end in are valued, without cube and for points (a gammon is two). The effort dial is plies: a
    budget of n looks n plies further ahead than its network, 3 at most, at the 8 boards that the
    network likes best; 0 is the network alone, 2 what the program calls world class. The value is
    the expected points, from -3 to 3. What it computes is unknown, so model steps are, too; it
    cannot keep a limit of seconds. Another objective than points is ignored.

    For `timeout`, `start_timeout`, `workers` and errors see `from_uci`.
    """
    words, told = backgammon_of(task), (*found(command), *_FLAGS)
    limits = {"timeout": timeout, "start_timeout": start_timeout, "workers": workers}
    return started(task, told, Gnubg(), words, budget, **limits)
