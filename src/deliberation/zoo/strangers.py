"""Deciders that others made, by name: a policy's file, an engine's program.

`sb3:ppo.zip` is an archive of stable-baselines3, `hf:FOLDER` a language model of transformers on a
task of text; `uci:stockfish` and `gtp:gnugo` are programs that
speak those protocols, with their arguments if quoted; `gnubg` is GNU Backgammon.
"""

import shlex
from collections.abc import Callable

from ..core.decider import Decider
from ..core.task import Task

GNUBG = "gnubg"
Door = Callable[[Task, str, bool], Decider]


def _sb3(task: Task, path: str, trust: bool) -> Decider:
    from ..adapters import from_sb3

    return from_sb3(path, task, trust=trust)


def _hf(task: Task, folder: str, trust: bool) -> Decider:
    from ..adapters import from_transformers, text_policy

    return text_policy(from_transformers(folder, trust=trust), task)


def _uci(task: Task, command: str, trust: bool) -> Decider:
    del trust
    from ..adapters import from_uci

    return from_uci(shlex.split(command), task)


def _gtp(task: Task, command: str, trust: bool) -> Decider:
    del trust
    from ..adapters import from_gtp

    return from_gtp(shlex.split(command), task)


DOORS: dict[str, Door] = {"sb3": _sb3, "hf": _hf, "uci": _uci, "gtp": _gtp}
"""What opens each kind of stranger, given what stands behind the colon, and whether a file is
trusted to run code.
"""


def is_stranger(name: str) -> bool:
    """Whether a name is that of a decider which others made."""
    kind, colon, rest = name.partition(":")
    return name == GNUBG or (kind in DOORS and bool(colon and rest))


def stranger(task: Task, name: str, trust: bool = False) -> Decider:
    """The decider of such a name on a task. Raises what the adapters raise."""
    if name == GNUBG:
        from ..adapters import from_gnubg

        return from_gnubg(task)
    kind, _, rest = name.partition(":")
    return DOORS[kind](task, rest, trust)
