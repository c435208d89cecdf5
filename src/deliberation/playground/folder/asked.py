"""The world that an audit is of, and from the states that it cites to the board there."""

import os
import re
from collections.abc import Sequence
from typing import Any

from ...core.errors import DeliberationError
from ...core.witness.codes import decode
from ...runs.announced import ANNOUNCED
from ..settings import RefusedError
from ..worlds import world
from .shelf import AUDIT, Shelf, Shelved, read_json
from .ways import way_to

_SHOWN = 120
_AGAIN = "do not lead to the board: ask the same audit again."
_BY_NAME = (
    "Audit it from the command line in a world that has a name (deliberate audit SUBJECT --world "
    "NAME, which can be my_games.nim:Nim too), so that its states can be followed."
)


def led(
    shelf: Shelf, run: Shelved, cited: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], str]:
    """The states that an answer cites, each with the board's address (`spot`) where that is known;
    and what has to be said of where they lead, or of why they do not.
    """
    if not any(c["state"] for c in cited):
        older = "These states are kept as drawings alone, by an older version of the audit, and "
        return [{**c, "spot": None} for c in cited], f"{older}{_AGAIN}" if cited else ""
    told = _told(shelf, run)
    name, said = (told, "") if shelf.known(told) else _described(shelf, told)
    if not name:
        return [{**c, "spot": None} for c in cited], said
    try:
        task = world(name)
    except (DeliberationError, RefusedError) as error:
        why = error.sentence if isinstance(error, RefusedError) else shelf.told(error)
        return [{**c, "spot": None} for c in cited], f"No board is there for these states: {why}"
    found = [{**c, "spot": _spot(task, name, c, bool(said))} for c in cited]
    lost = sum(c["spot"] is None for c in found)
    if lost == len(found) and said:
        return found, _no_name(told)
    if lost:
        which = "these states" if lost == len(found) else "the states without a link"
        said = f"{said} No moves to {which} were found in a game of {name}.".strip()
    return found, said


def _told(shelf: Shelf, run: Shelved) -> str:
    """The task of an audit as it was announced, else as its end tells; empty if neither does."""
    for file in (ANNOUNCED, AUDIT):
        if os.path.lexists(run.path / file):
            name = read_json(shelf.file(run, file)).get("task")
            return name if isinstance(name, str) else ""
    return ""


def _described(shelf: Shelf, told: str) -> tuple[str, str]:
    """The name of the one world here that is described so, and what has to be said of that."""
    if not told:
        return "", f"It is not kept which world these states are of, so that they {_AGAIN}"
    if re.match(r"[\w./-]+:", told):
        return "", (
            f"These states are of {told[:_SHOWN]}, which is not served here. Start the playground "
            "with that name (deliberate serve NAME), and they lead to the board."
        )
    names = [name for name in _candidates(shelf, told) if _description(name) == told]
    if len(names) != 1:
        return "", _no_name(told, names)
    return names[0], (
        f"The audit was asked from Python, with the task itself: {told[:_SHOWN]}. The board is "
        f"that of {names[0]}, which is described in the same words."
    )


def _no_name(told: str, names: Sequence[str] = ()) -> str:
    also = f" (as {' and '.join(names[:4])} are)" if names else ""
    return (
        "These states do not lead to the board: the audit was asked from Python, with the task "
        f"itself, which is kept by its description alone, {told[:_SHOWN]}{also}. {_BY_NAME}"
    )


def _candidates(shelf: Shelf, told: str) -> list[str]:
    """Names of tasks here that may be described so: those of that class, and what is served."""
    from ...tasks import list_tasks

    kind = told.split("(", maxsplit=1)[0]
    known = [name for name, entry in list_tasks().items() if entry["factory"] == kind]
    return list(dict.fromkeys([*known, *shelf.tasks]))


def _description(name: str) -> str:
    try:
        return repr(world(name))
    except (DeliberationError, RefusedError):
        return ""


def _spot(task: Any, name: str, one: dict[str, Any], like: bool) -> dict[str, Any] | None:
    """The board's address for a state; `like`: only where it looks there as it did in the audit."""
    try:
        state = decode(task, one["state"]) if one["state"] else None
        if state is None or (like and not task.render(state).startswith(one["text"])):
            return None
        way = way_to(task, state, one["state"])
    except DeliberationError:
        return None
    return None if way is None else {"task": name, **way}
