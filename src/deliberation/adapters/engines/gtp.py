"""Go engines by the Go Text Protocol, version 2 (Farneback 2002): `from_gtp`."""

import math
import os
import re
from collections.abc import Sequence

from ...core.budget import Budget
from ...core.task import Task
from .crew import Asked, Protocol, Reply, Talk
from .decider import EngineDecider, started
from .go import go_of
from .process import found

_GNUGO = ("--chinese-rules", "--capture-all-dead", "--positional-superko", "--never-resign")
"""So that GNU Go plays by Tromp and Taylor's rules, as all tasks here do: area, dead stones too."""
_SCORE = re.compile(r"([BW])\+([0-9.]+)")
_SCALE = 10.0
"""An estimated lead of so many points is tanh(1)."""


class Gtp(Protocol):
    """The words of GTP. `board` are commands that the engine must take as it starts."""

    name, timed, counted = "from_gtp", False, False

    def __init__(self, board: tuple[str, ...], dial: str, fresh: bool):
        self.board, self.dial, self.fresh = board, dial, fresh

    def greet(self, talk: Talk) -> None:
        """`protocol_version`, `name` and `list_commands`, then the size of the board and komi."""
        version = self._all(talk, ["protocol_version"], "answer, as engines that speak GTP do,")
        if version != ["2"]:
            raise talk.error(f"speaks version {version[0]!r} of GTP and not 2.")
        name, known = self._all(talk, ["name", "list_commands"])
        talk.name = f"{name} ({talk.name})"
        talk.known = frozenset(known.split())
        self._all(talk, self.board)

    def ask(self, talk: Talk, asked: Asked) -> Reply:
        """The position, `estimate_score` where the engine has it, and `genmove`."""
        lines = ["clear_cache"] if self.fresh and "clear_cache" in talk.known else []
        if "set_random_seed" in talk.known:
            lines.append(f"set_random_seed {asked.seed % (1 << 30) + 1}")
        if asked.effort is not None and self.dial.split()[0] in talk.known:
            lines.append(f"{self.dial} {asked.effort}")
        side = asked.position.side
        # First the estimate, whose analysis GNU Go keeps for the move.
        told = ["estimate_score"] if "estimate_score" in talk.known else []
        lines += [*asked.position.setup, *told, f"genmove {side}"]
        *_, estimate, move = self._all(talk, lines)
        if move.upper() == "RESIGN":
            return Reply("PASS", -1.0, 1)
        return Reply(move.upper(), _value(estimate, side), 1)

    def _all(self, talk: Talk, lines: Sequence[str], what: str = "") -> list[str]:
        """What is answered to each of some commands. Raises `EngineError` for a refusal."""
        talk.say(*(f"{number} {line}" for number, line in enumerate(lines, 1)))
        found = []
        for number, line in enumerate(lines, 1):
            answer = _answer(talk, what or f"answer to `{line}`")
            if not re.match(rf"={number}(\s|$)", answer):
                raise talk.error(f"answered `{line}` by {answer!r}.")
            found.append(answer[1 + len(str(number)) :].strip())
        return found


def from_gtp(
    command: str | os.PathLike[str] | Sequence[str], task: Task, *, budget: Budget | int = 10,
    dial: str = "level", timeout: float | int = 60.0, start_timeout: float | int = 10.0,
    fresh: bool = True, workers: int = 1,
) -> EngineDecider:  # fmt: skip
    """A Go engine such as GNU Go as a decider: `from_gtp("gnugo", from_pgx("go_9x9"), budget=5)`.

    `task` is Go of this library, of pgx or of OpenSpiel; the engine is told its size and komi.
    `command` is a program on PATH or in /usr/games, with its arguments. GNU Go is also given
    `--mode gtp`, and what makes it play by Tromp and Taylor's rules, as tasks here do (area,
    superko, dead stones stay until they are taken); give the like for other engines.

    The effort dial is the engine's: a budget of n is the command `level n` where the engine has it
    (GNU Go's own choice is 10), and of no effect where not. `dial` is another
    command, such as "kata-set-param maxVisits". A limit of seconds cannot be kept. What the engine
    computes is unknown, so model steps are, too. The
    value is tanh(lead / 10) of the lead in points where the engine has `estimate_score`, as GNU Go
    does, else 0. Another objective than winning is ignored. An engine that resigns passes, and its
    value is -1.

    With `fresh` the engine's cache is emptied before each decision and its chance is set from the
    key (`clear_cache` and `set_random_seed`, where it has them), so that an answer depends on state
    and key alone. For `timeout`, `start_timeout`, `workers` and errors see `from_uci`.
    """
    words, told = go_of(task), _by_the_rules(found(command))
    return started(
        task, told, Gtp(words.board, dial, fresh), words, budget,
        timeout=timeout, start_timeout=start_timeout, workers=workers,
    )  # fmt: skip


def _by_the_rules(command: tuple[str, ...]) -> tuple[str, ...]:
    """GNU Go's command with what it needs to be told; any other as it is."""
    if os.path.basename(command[0]) != "gnugo":
        return command
    mode = () if "--mode" in command else ("--mode", "gtp")
    return (*command, *mode, *(flag for flag in _GNUGO if flag not in command))


def _answer(talk: Talk, what: str) -> str:
    """The next answer: from a line that is not empty to one that is."""
    lines: list[str] = []
    while True:
        line = talk.hear(what).strip()
        if line:
            lines.append(line)
        elif lines:
            return "\n".join(lines)


def _value(estimate: str, side: str) -> float:
    lead = _SCORE.match(estimate)
    if lead is None:
        return 0.0
    return math.tanh(float(lead[2]) / _SCALE) * (1.0 if lead[1].lower() == side else -1.0)
