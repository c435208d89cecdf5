"""The positions that a record was measured in, drawn: all of an exam's, or the few that it kept."""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import DeliberationError, ForeignStateError, OutputFolderError
from ...core.picture import Picture
from ...core.witness.codes import decode, encode
from ...runs import Record, read_column
from ...runs.stores import place_of
from ..kept import Kept
from ..limits import MOVES
from .figures import AWAY
from .instead import instead
from .records import budgets, record_of, short
from .shelf import Shelf, Shelved, stamp

POSITIONS = "positions.npz"
AT_A_TIME = 6
ORDERS = ("costliest", "recorded")
_WORLDS, _MEASURED = Kept(16), Kept(256)


def beneath(run: Shelved, records: Mapping[str, Record], cell: str) -> dict[str, Any]:
    """Whether positions of a record can be drawn, and what is behind it besides or instead."""
    record = record_of(records, cell)
    source = kept_by(records, record)
    drawn = (source is not None or exam_of(records, record) is not None) and not place_of(run.path)
    return {"positions": drawn, "instead": instead(record, drawn, source)}


def exam_of(records: Mapping[str, Record], record: Record) -> Record | None:
    """The record that holds the positions which another one was measured on; itself, perhaps."""
    asked = [record.cell, record.settings.get("positions"), *record.needs]
    there = (records[c] for c in asked if isinstance(c, str) and c in records)
    return next((one for one in there if POSITIONS in one.artefacts), None)


def kept_by(records: Mapping[str, Record], record: Record) -> Record | None:
    """The record that tells of a few positions: itself, else one that it builds on.

    None where all of an exam's positions are there with what was chosen in each.
    """
    if "action" in record.columns and exam_of(records, record) is not None:
        return None
    there = (records[c] for c in (record.cell, *record.needs) if c in records)
    return next((one for one in there if _sights(one)), None)


def task_name(record: Record) -> str:
    """The task of a record as `make_task` takes it, with options. Raises `OutputFolderError`."""
    name, options = record.settings.get("task"), record.settings.get("options")
    if not isinstance(name, str):
        raise OutputFolderError(f"{short(name)} is not a task that is drawn here.")
    zoo = "entry" in record.settings and isinstance(options, dict)
    if not (zoo and options):
        return name
    told = ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))
    return f"{name}({told})"


def _sights(record: Record) -> list[dict[str, Any]]:
    """What a record tells of positions, where it has the form that this version writes."""
    found = record.where.get("sights")
    if not isinstance(found, list | tuple):
        return []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("state"), str)]


def positions(
    shelf: Shelf, run: Shelved, records: Mapping[str, Record], cell: str, at: float | None,
    start: int, order: str,
) -> dict[str, Any]:  # fmt: skip
    """Some of the positions behind a record, drawn: what was chosen there and what it gave up.

    `at` is a budget of the record's. The costliest come first, unless they are to be in the
    recorded order. Raises `OutputFolderError`, saying why nothing can be drawn.
    """
    record = record_of(records, cell)
    source, exam = kept_by(records, record), exam_of(records, record)
    if source is None and exam is None:
        raise OutputFolderError(instead(record, False, None))
    if place_of(run.path):
        raise OutputFolderError(AWAY)
    name = task_name(source or (record if record.settings.get("task") else exam) or record)
    if not shelf.known(name):
        raise OutputFolderError(f"{short(name)} is not a task that is drawn here.")
    if source is not None:
        return _few(run, source, name, start)
    assert exam is not None
    return _all(run, record, exam, name, at, start, order)


def _all(
    run: Shelved, record: Record, exam: Record, name: str, at: float | None, start: int, order: str
) -> dict[str, Any]:
    """Those of an exam, of which every position is kept."""
    world, states, values = _exam_read(run, exam, name)
    chosen = _chosen(run, record, at, len(values))
    lost = np.zeros(len(values))
    if chosen is not None and values.ndim == 2:
        lost = np.nanmax(values, 1) - values[np.arange(len(values)), chosen]
    rows = np.arange(len(values))
    if order == ORDERS[0] and chosen is not None:
        rows = np.lexsort((rows, -np.nan_to_num(lost)))
    shown = rows[start : start + AT_A_TIME]
    return {
        "task": name, "of": len(values), "start": start, "order": order, "exam": exam.cell,
        "erred": int((lost > 1e-6).sum()) if chosen is not None else None, "kept": len(values),
        "boards": [
            _of_exam(
                world, name, states, values, chosen, lost, int(row),
                kept=f"{run.name}/{exam.cell}/{row}",
            )
            for row in shown
        ],
    }  # fmt: skip


def _few(run: Shelved, source: Record, name: str, start: int) -> dict[str, Any]:
    """Those that a record tells of itself."""
    from ..worlds import world

    task, found = world(name), _sights(source)
    of = source.where.get("of")
    rows = range(start, min(start + AT_A_TIME, len(found)))
    boards = [_of_sight(run, source, task, name, found[row], row) for row in rows]
    if boards and all(one["broken"] for one in boards):
        raise OutputFolderError(boards[0]["said"])
    return {
        "task": name, "of": of if isinstance(of, int) else len(found), "start": start,
        "order": ORDERS[0], "exam": source.cell, "erred": None, "kept": len(found),
        "boards": boards,
    }  # fmt: skip


def measured_tasks(shelf: Shelf) -> frozenset[str]:
    """The tasks that any records of the folder are of, of those that may be made here."""
    found: set[str] = set()
    for run in shelf.runs():
        found |= _MEASURED.get((str(run.path), stamp(run)), functools.partial(_tasks, shelf, run))
    return frozenset(name for name in found if shelf.known(name))


def _tasks(shelf: Shelf, run: Shelved) -> frozenset[str]:
    if run.kind not in ("table", "zoo", "advice", "other"):
        return frozenset()
    found = set()
    with contextlib.suppress(DeliberationError, OSError):  # a broken run has none
        for record in shelf.records(run).values():
            with contextlib.suppress(DeliberationError):
                found.add(task_name(record))
    return frozenset(found)


def kept_state(shelf: Shelf, name: str, kept: str) -> str:
    """The state, as text, of a position that a record holds: "run/record/number", of that task.

    Raises `OutputFolderError` where there is none, which names no others: whoever follows a link
    has not asked what else there is.
    """
    run, cell, number = ([*kept.split("/"), "", "", ""])[:3]
    if run not in {known.name for known in shelf.runs()}:
        raise OutputFolderError(f"There is no run named {run[:80]!r} with such a record.")
    records = shelf.records(shelf.find(run))
    if cell not in records:
        raise OutputFolderError(f"{run[:80]} has no record {cell[:80]!r}.")
    record = record_of(records, cell)
    if not (number.isascii() and number.isdigit() and len(number) < 7):
        raise OutputFolderError(f"{number[:8]!r} is no number of a position.")
    if task_name(record) != name:
        raise OutputFolderError(f"Record {cell} keeps positions of another task than {name[:80]}.")
    return _kept_at(shelf.find(run), record, name, int(number))


def _kept_at(run: Shelved, record: Record, name: str, row: int) -> str:
    """One of the positions that a record tells of, or that its exam has, as text."""
    found = _sights(record)
    if row < len(found):
        return found[row]["state"]
    if POSITIONS in record.artefacts and not place_of(run.path):
        _, states, values = _exam_read(run, record, name)
        if row < len(values):
            import jax

            return encode(jax.tree.map(lambda x: np.asarray(x)[row], states))
    raise OutputFolderError(f"Record {record.cell} keeps no position {row}.")


def _exam_read(run: Shelved, exam: Record, name: str) -> tuple[Any, Any, np.ndarray]:
    """The same as `_exam`, once."""
    named = (str(run.path), exam.cell, exam.digest)
    return _WORLDS.get(named, functools.partial(_exam, run, exam, name))


def _exam(run: Shelved, exam: Record, name: str) -> tuple[Any, Any, np.ndarray]:
    """The task, the states, and the exact values of their actions."""
    from ...claims.measuring.exams import read_positions
    from ...runs import artefact_folder
    from ..worlds import world

    task, folder = world(name), artefact_folder(run.path, exam)
    try:
        try:
            states, values = read_positions(folder, task)
        except KeyError:  # of two objectives, the task's own
            states, values = read_positions(folder, task, "own")
    except (KeyError, ValueError, OSError) as error:
        raise OutputFolderError(
            f"The positions of {exam.cell} have another form than {name} has here ({error})."
        ) from error
    return task, states, np.asarray(values, float)


def _chosen(run: Shelved, record: Record, at: float | None, count: int) -> np.ndarray | None:
    """What the record chose in each position at a budget; None where it does not say."""
    said = record.columns.get("action")
    if said is None or list(said["axes"]) != ["budget", "position"]:
        return None
    actions = read_column(run.path, record, "action").values
    offered = budgets(record)
    row = offered.index(at) if at in offered else -1
    return actions[row].astype(int) if actions.shape[1] == count else None


def _of_exam(
    task: Any, name: str, states: Any, values: np.ndarray, chosen: np.ndarray | None,
    lost: np.ndarray, row: int, kept: str,
) -> dict[str, Any]:  # fmt: skip
    import jax

    from ...tasks.moves import action_name

    state = jax.tree.map(lambda x: np.asarray(x)[row], states)
    worth = values[row] if values.ndim == 2 else np.zeros(0)
    legal = np.flatnonzero(~np.isnan(worth))
    best = [int(a) for a in legal if worth[a] >= np.nanmax(worth) - 1e-6]
    action = None if chosen is None else int(chosen[row])
    gave = float(lost[row]) if action is not None else None
    told = _board(task, name, state, row, action, best, gave, kept=kept)
    return told | {
        "values": [
            {"action": int(a), "name": action_name(task, int(a)), "value": float(worth[a])}
            for a in legal
        ]
    }


def _of_sight(
    run: Shelved, source: Record, task: Any, name: str, one: Mapping[str, Any], row: int
) -> dict[str, Any]:
    """A position that a record tells of; that it is none where it is none of this task."""

    def whole(value: Any) -> bool:
        return type(value) is int and 0 <= value < task.traits.actions

    def some(key: str) -> list[int] | None:
        listed = one.get(key)
        if not isinstance(listed, list | tuple) or len(listed) > MOVES:
            return None
        return [a for a in listed if whole(a)]

    def number(key: str) -> float | None:
        value = one.get(key)
        return float(value) if isinstance(value, int | float) else None

    try:
        state = decode(task, one["state"])
    except ForeignStateError:
        return _broken(
            row, f"Number {row} of {source.cell} holds no position of this task: it has another "
            f"form than {name} has here, or is none that can be shown.",
        )  # fmt: skip
    chosen = one.get("chosen")
    told = _board(
        task, name, state, row, chosen if whole(chosen) else None, some("best") or [],
        number("lost"), moves=some("moves"), kept=f"{run.name}/{source.cell}/{row}",
    )  # fmt: skip
    said = str(one.get("said", ""))[:120]
    return told | {"said": said, "returned": number("returned"), "broken": False}


def _broken(row: int, why: str) -> dict[str, Any]:
    """What stands in the place of a position that is none."""
    return {
        "row": row, "picture": None, "table": [], "text": "no position", "mover": 0, "players": 1,
        "legal": [], "best": [], "best_names": "", "chosen": None, "chosen_name": "",
        "lost": None, "spot": None, "said": why, "returned": None, "broken": True,
    }  # fmt: skip


def _board(
    task: Any, name: str, state: Any, row: int, action: int | None, best: Sequence[int],
    lost: float | None, *, moves: Sequence[int] | None = None, kept: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One position as the page draws it, with the board's address for it."""
    import jax
    import jax.numpy as jnp

    from ...tasks.moves import action_name
    from ...tasks.seen import table_of
    from ..worlds import drawn
    from .ways import way_to

    state = jax.tree.map(jnp.asarray, state)
    picture: Picture | None = task.picture(state)
    spot = way_to(task, state, encode(state), moves)
    return {
        "row": row,
        "picture": None if picture is None else drawn(picture),
        "table": table_of(task, state) if picture is None else [],
        "text": task.render(state),
        "mover": int(task.player(state)),
        "players": task.traits.players,
        "legal": np.flatnonzero(np.asarray(task.legal(state))).tolist(),
        "best": list(best),
        "best_names": _names(task, best),
        "chosen": action,
        "chosen_name": "" if action is None else action_name(task, action),
        "lost": lost,
        "spot": (
            {"task": name, **spot} if spot else {"task": name, "kept": kept} if kept else None
        ),
    }


def _names(task: Any, actions: Sequence[int]) -> str:
    from ...tasks.moves import action_name

    if len(actions) > 3:
        return f"any of {len(actions)}"
    return " or ".join(action_name(task, a) for a in actions)
