"""What is going on in a folder that holds no records: said at the start, and locked until the end.

An audit keeps its answers one by one, the first after minutes; until then this is all there is of
it. Whoever is killed lets go of the lock, and what was announced stays.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..core.errors import OutputFolderError
from .plain import plain
from .records import LOCK
from .storage import atomic_write, lock, made_folder

ANNOUNCED = "asked.json"
_OF = ("subject", "task")
"""What a folder is of: with another effort, or more probes, the same audit goes on."""
_BESIDE = (ANNOUNCED, "truth.json", "truth_own.json")
"""Files of an audit that are no answers."""


class Known(NamedTuple):
    """What tells a subject from others of its name, in every process: digests of what it `holds`,
    and of some of its `answers` (empty where it does not answer the same way twice).
    """

    holds: str
    answers: str


@contextlib.contextmanager
def announced(folder: Path | str, **asked: Any) -> Iterator[Callable[..., None]]:
    """Keep others from a folder while a run goes on in it, and hand over what says there what is
    asked of that run: to be called once it is sure that it can begin, with what its subject is
    `known_by` where subjects of one name can be told apart (see `Known`).

    Raises `FolderBusyError` where another one goes on there, `OutputFolderError` where it holds
    answers of another subject or task (also from what is handed over), and `StorageError`.
    """
    folder = Path(folder)
    made_folder(folder)
    handle = lock(folder / LOCK)

    def say(known_by: Known | None = None) -> None:
        more = {} if known_by is None else {"known_by": _same(folder, known_by, asked)._asdict()}
        told = plain({**asked, **more}, ANNOUNCED)
        data = msgspec.json.format(msgspec.json.encode(told), indent=1)
        atomic_write(folder / ANNOUNCED, data + b"\n")

    try:
        _refuse_others(folder, asked)
        yield say
    finally:
        os.close(handle)


def _refuse_others(folder: Path, asked: dict[str, Any]) -> None:
    """Refuse a folder with answers of something else: they would be told apart no more."""
    held = _held(folder)
    there, here = ([str(told.get(name)) for name in _OF] for told in (held or asked, asked))
    if list(map(alike, there)) != list(map(alike, here)):
        raise OutputFolderError(
            f"{folder} holds the audit of {there[0]} in {there[1]}, and this one is of {here[0]} "
            f"in {here[1]}: their answers would be mixed. Take another folder (--out, or out=), "
            "or remove that one."
        )


def _same(folder: Path, here: Known, asked: dict[str, Any]) -> Known:
    """What the subject of a folder is known by, once it is the one that is here."""
    try:
        there = msgspec.convert(_held(folder).get("known_by"), type=dict[str, str])
        known = Known(there["holds"], there["answers"])
    except (KeyError, msgspec.ValidationError):
        return here  # nothing is known of it
    unsaid = not known.answers or not here.answers
    if known.holds != here.holds or not (unsaid or known.answers == here.answers):
        raise OutputFolderError(
            f"{folder} holds the audit of another subject that is called {asked.get('subject')}, "
            "too: what it holds, or answers, is not what this one does. Their answers would be "
            "mixed. Take another folder (out=), or remove that one."
        )
    return here if here.answers else known


def _held(folder: Path) -> dict[str, Any]:
    """What was said in a folder that holds answers; empty where nothing is to be held to."""
    try:
        held = msgspec.json.decode((folder / ANNOUNCED).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}  # nothing was said there, or nothing that can be read
    return held if any(path.name not in _BESIDE for path in folder.glob("*.json")) else {}


def alike(name: str) -> str:
    """A name without addresses in memory, which differ from one process to the next."""
    return re.sub(r"0x[0-9a-fA-F]+", "0x", name)
