"""Chess engines by the Universal Chess Interface (Huber and Meyer-Kahlen 2000): `from_uci`."""

import difflib
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.budget import Budget
from ...core.errors import EngineError
from ...core.task import Task
from .chess import chess_of
from .crew import Asked, Protocol, Reply, Talk
from .decider import EngineDecider, started
from .process import found

_OPTION = re.compile(r"option name (.+?) type (check|spin|combo|button|string)\b(.*)")
_ODDS = 1000.0
"""What the odds of winning, drawing and losing sum to."""
_STEEP = math.log(10.0) / 800.0
"""So that four pawns (400) are odds of ten to one, as 400 points of Elo's are."""


class Uci(Protocol):
    """The words of UCI. Options are set once, as the engine starts."""

    name, timed, counted = "from_uci", True, True

    def __init__(self, options: Mapping[str, Any], fresh: bool):
        self.options, self.fresh = dict(options), fresh

    def greet(self, talk: Talk) -> None:
        """`uci`, the options, `isready`."""
        talk.say("uci")
        offered: dict[str, tuple[str, str]] = {}
        while (line := talk.hear("`uciok`, as engines that speak UCI do,")) != "uciok":
            if line.startswith("id name "):
                talk.name = f"{line[8:].strip()} ({talk.name})"
            elif option := _OPTION.match(line):
                offered[option[1].lower()] = option[2], option[3]
        options = {"Threads": 1} if "threads" in offered else {}
        if "uci_showwdl" in offered:
            options["UCI_ShowWDL"] = True
        options.update(self.options)
        talk.say(*(_set(talk, name, value, offered) for name, value in options.items()))
        _ready(talk)

    def ask(self, talk: Talk, asked: Asked) -> Reply:
        """`position` and `go`; what was last said of the first line before `bestmove` counts."""
        if self.fresh:
            talk.say("ucinewgame")
            _ready(talk)
        talk.say(*asked.position.setup, _go(asked))
        value, nodes = 0.0, 0
        while not (line := talk.hear("`bestmove`")).startswith("bestmove"):
            words = line.split()
            if words[:1] == ["info"] and "string" not in words:
                value, nodes = _score(words, value), max(nodes, _number(words, "nodes"))
        move = line.split()[1:2]
        return Reply(move[0] if move else "", value, max(nodes, 1))


def from_uci(
    command: str | os.PathLike[str] | Sequence[str],
    task: Task,
    *,
    options: Mapping[str, Any] | None = None,
    budget: Budget | int = 1000,
    timeout: float | int = 60.0,
    start_timeout: float | int = 10.0,
    fresh: bool = True,
    workers: int = 1,
) -> EngineDecider:
    """A chess engine such as Stockfish as a decider: `from_uci("stockfish", from_pgx("chess"))`.

    `task` is chess, of pgx or of OpenSpiel. `command` is a program on PATH or in /usr/games, with
    its arguments. `options` are the engine's own, such as `{"Hash": 64, "Skill Level": 5}`; one
    thread is used where they do not say otherwise.

    The effort dial is positions searched: a budget of n simulations (or model steps) is
    `go nodes n`, of which an engine needs 1; `Budget(seconds=...)` is `go movetime`, the seconds
    shared evenly by the rows of a batch. The decision's value is the expected score for the player
    to move, from -1 to 1: wins less losses where the engine tells their odds (`UCI_ShowWDL`), else
    2 / (1 + 10^(-p / 4)) - 1 for an advantage of p pawns; a forced mate is 1 or -1. Model steps are
    the nodes that the engine reports; its network evaluations and FLOPs are unknown. Another
    objective than winning is ignored.

    With `fresh` the engine forgets everything before each decision (`ucinewgame`), so that an
    answer depends on the state alone; without, it keeps its hash table, and is faster but depends
    on what was asked before. Rows of a batch are asked one after the other, or `workers` at a time.
    The engine learns of earlier repetitions of a position as far as the state tells of them:
    in OpenSpiel's chess the whole game, in pgx's the last 7 moves.

    An answer may take `timeout` seconds beyond a limit of seconds, and starting `start_timeout`.
    Raises `BackendError` where there is no such program, `UnsuitableTaskError` for other tasks than
    chess, and `EngineError`: for a program that speaks no UCI, an option that it lacks, and later
    for one that hangs, dies twice over one question, or answers with no legal move.
    """
    words, protocol = chess_of(task), Uci(options or {}, fresh)
    return started(
        task, found(command), protocol, words, budget,
        timeout=timeout, start_timeout=start_timeout, workers=workers,
    )  # fmt: skip


def _ready(talk: Talk) -> None:
    talk.say("isready")
    while talk.hear("`readyok`") != "readyok":
        pass


def _go(asked: Asked) -> str:
    # Stockfish takes no nodes for no limit.
    nodes = [] if asked.effort is None else ["nodes", str(max(asked.effort, 1))]
    if asked.seconds is not None:
        nodes += ["movetime", str(max(int(1000 * asked.seconds), 1))]
    return " ".join(["go", *nodes])


def _score(words: list[str], before: float) -> float:
    """The value that an `info` line tells of its first line of play, else the one before."""
    if "score" not in words or _number(words, "multipv", 1) != 1:
        return before
    if "mate" in words:
        return 1.0 if _number(words, "mate") > 0 else -1.0
    if "wdl" in words:
        lead = _number(words, "wdl") - _number(words, "wdl", place=3)
        return min(max(lead / _ODDS, -1.0), 1.0)
    return math.tanh(_STEEP * _number(words, "cp")) if "cp" in words else before


def _number(words: list[str], name: str, missing: int = 0, place: int = 1) -> int:
    """The number that stands so many places after a word."""
    try:
        return int(words[words.index(name) + place])
    except (ValueError, IndexError):
        return missing


def _set(talk: Talk, name: str, value: Any, offered: Mapping[str, tuple[str, str]]) -> str:
    """The line that sets an option. Raises `EngineError` for one that the engine cannot take."""
    if name.lower() not in offered:
        near = difflib.get_close_matches(name.lower(), offered, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(sorted(offered))}."
        raise EngineError(f"The engine {talk.name} has no option {name!r}. {hint}")
    kind, rest = offered[name.lower()]
    told = str(value).lower() if isinstance(value, bool) else str(value)
    words = rest.split()
    low, high = _number(words, "min", -(1 << 62)), _number(words, "max", 1 << 62)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "spin" and not (whole and low <= value <= high):
        raise EngineError(
            f"The option {name!r} of {talk.name} is a whole number from {low} to {high}; "
            f"got {value!r}."
        )
    if kind == "check" and told not in ("true", "false"):
        raise EngineError(f"The option {name!r} of {talk.name} is True or False; got {value!r}.")
    if "\n" in told:
        raise EngineError(f"The option {name!r} of {talk.name} is one line; got {value!r}.")
    return f"setoption name {name}" + ("" if kind == "button" else f" value {told}")
