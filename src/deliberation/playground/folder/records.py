"""A record in words and numbers, and the positions that it was measured on, drawn."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import DeliberationError, OutputFolderError, UnknownNameError
from ...core.picture import Picture
from ...report.numbers import number
from ...runs import Record, read_column
from ...runs.stores import place_of
from ..kept import Kept
from .figures import AWAY
from .shelf import Shelf, Shelved

POSITIONS = "positions.npz"
AT_A_TIME = 6
_LONG = 240
_NUMBERS = 8
_FEW = 600
"""An array of no more numbers than this is shown whole."""
_WORLDS = Kept(16)
ORDERS = ("costliest", "recorded")


def record_of(records: Mapping[str, Record], cell: str) -> Record:
    """A record by its cell's id. Raises `UnknownNameError`."""
    if cell not in records:
        raise UnknownNameError("record of this run", cell[:80], records)
    return records[cell]


def brief(record: Record) -> dict[str, Any]:
    """A record in a line: what it did, and by which settings it differs from others."""
    return {
        "cell": record.cell,
        "what": named(record.function),
        "settings": settled(record.settings),
        "seconds": record.seconds,
        "started": record.started,
    }


def named(function: str) -> str:
    """A cell's function in words."""
    return function.rpartition(".")[2].replace(":", ": ").replace("_", " ")


def settled(settings: Mapping[str, Any]) -> str:
    """Settings in a line; what is null or a cell's id says nothing there."""
    told = (
        f"{name} {short(value)}"
        for name, value in settings.items()
        if value is not None and not _is_cell(value) and value not in ({}, [], "")
    )
    return ", ".join(told)


def _is_cell(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 16 and set(value) <= set("0123456789abcdef")


def short(value: Any, unknown: str = "unknown") -> str:
    """A value as text of a line; long lists of numbers are told by their ranges."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: unknown}[value]
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        if len(value) > _NUMBERS and (span := _many(value)):
            return span
        if value and all(isinstance(x, list | tuple) for x in value) and (span := _many(value)):
            return span
        shown = ", ".join(short(x) for x in value[:_NUMBERS])
        more = f", and {len(value) - _NUMBERS:,} more" if len(value) > _NUMBERS else ""
        return f"[{shown}{more}]"[:_LONG]
    if isinstance(value, str):
        return value if len(value) <= _LONG else f"{value[:_LONG]}…"
    return json.dumps(value, default=str)[:_LONG]


def _many(value: Any) -> str:
    """How many numbers nested lists hold, and from where to where these go."""
    try:
        found = np.asarray(value, float)
    except (ValueError, TypeError):
        return ""
    size = " × ".join(f"{n:,}" for n in found.shape)
    span = _span(found)
    return f"{size} numbers, {span}" if span else ""


def told(run: Shelved, records: Mapping[str, Record], cell: str) -> dict[str, Any]:
    """All of a record, for people; files are named, and arrays told by their ranges."""
    record = record_of(records, cell)
    known = [value for value in record.settings.values() if _is_cell(value) and value in records]
    settings = {
        name: {"text": short(value, "none"), "cell": value if value in known else ""}
        for name, value in record.settings.items()
        if value not in ({}, [])
    }
    spent = {name: short(value) for name, value in record.spent.items() if value != 0}
    machine = ", ".join(short(value) for value in record.machine.values() if value is not None)
    return {
        **brief(record),
        "function": record.function,
        "settings": settings,
        "outcomes": {name: short(value) for name, value in record.outcomes.items()},
        "spent": spent,
        "needs": [brief(records[need]) for need in record.needs if need in records],
        "columns": _columns(run, record),
        "files": sorted(record.artefacts),
        "provenance": {
            "measured": f"{record.started[:19].replace('T', ' ')} UTC, {number(record.seconds)} s",
            "code": record.code,
            "commit": (record.commit or "unknown")[:12] + (" (changed)" if record.dirty else ""),
            "machine": machine,
            "versions": ", ".join(f"{k} {v}" for k, v in record.versions.items() if v),
            "digest": record.digest,
        },
        "budgets": budgets(record),
        "positions": exam_of(records, record) is not None and not place_of(run.path),
        "raw": json.dumps(_cut(record.outcomes), indent=1, default=str)[:20_000],
    }


def _cut(value: Any) -> Any:
    """Long lists by their beginnings."""
    if isinstance(value, dict):
        return {key: _cut(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        more = [f"and {len(value) - 64:,} more"] if len(value) > 64 else []
        return [*(_cut(x) for x in value[:64]), *more]
    return value


def _columns(run: Shelved, record: Record) -> list[dict[str, Any]]:
    found = []
    for name, said in record.columns.items():
        axes = " × ".join(
            f"{n} {axis}s" for n, axis in zip(said["shape"], said["axes"], strict=True)
        )
        rows = None
        try:
            values = read_column(run.path, record, name).values
        except DeliberationError as error:
            span = str(error).splitlines()[0]
        else:
            span, rows = _span(values), _rows(values)
        unit = str(said["unit"])
        found.append({"name": name, "axes": axes, "unit": unit, "span": span, "rows": rows})
    return found


def _rows(values: np.ndarray) -> list[list[float | None]] | None:
    """The numbers themselves, row by row, where they are few; what is not finite is null."""
    if values.dtype.kind not in "biuf" or not 0 < values.size <= _FEW or values.ndim > 2:
        return None
    flat = np.atleast_2d(values) if values.ndim != 1 else values[:, None]
    return [[float(x) if np.isfinite(x) else None for x in row] for row in flat]


def _span(values: np.ndarray) -> str:
    if values.dtype.kind not in "biuf" or not values.size or not np.isfinite(values).any():
        return ""
    low, high, mean = np.nanmin(values), np.nanmax(values), np.nanmean(values)
    return f"{number(float(low))} to {number(float(high))}, mean {number(float(mean))}"


def budgets(record: Record) -> list[int | float]:
    """What the rows of a record's arrays were measured at, where they are budgets."""
    offered = record.settings.get("budgets")
    first = {tuple(said["axes"])[:1] for said in record.columns.values()}
    if not isinstance(offered, list | tuple) or first != {("budget",)}:
        return []
    return list(offered)


def exam_of(records: Mapping[str, Record], record: Record) -> Record | None:
    """The record that holds the positions which another one was measured on; itself, perhaps."""
    asked = [record.cell, record.settings.get("positions"), *record.needs]
    there = (records[c] for c in asked if isinstance(c, str) and c in records)
    return next((one for one in there if POSITIONS in one.artefacts), None)


def positions(
    shelf: Shelf, run: Shelved, records: Mapping[str, Record], cell: str, at: float | None,
    start: int, order: str,
) -> dict[str, Any]:  # fmt: skip
    """Some of the positions behind a record, drawn: what was chosen there and what it gave up.

    `at` is a budget of the record's. The costliest come first, unless they are to be in the
    recorded order. Raises `OutputFolderError`, saying why nothing can be drawn.
    """
    record = record_of(records, cell)
    exam = exam_of(records, record)
    if exam is None:
        raise OutputFolderError(
            "No positions stand behind this record: it was measured in whole episodes, or in "
            "training, and what was met there was not kept."
        )
    if place_of(run.path):
        raise OutputFolderError(AWAY)
    name = record.settings.get("task") or exam.settings.get("task")
    if not isinstance(name, str) or not shelf.known(name):
        raise OutputFolderError(f"{short(name)} is not a task that is drawn here.")
    world, states, values = _WORLDS.get(
        (str(run.path), exam.cell, exam.digest), functools.partial(_exam, run, exam, name)
    )
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
        "erred": int((lost > 1e-6).sum()) if chosen is not None else None,
        "boards": [_board(world, states, values, chosen, lost, int(row)) for row in shown],
    }  # fmt: skip


def _exam(run: Shelved, exam: Record, name: str) -> tuple[Any, Any, np.ndarray]:
    """The task, the states, and the exact values of their actions."""
    from ...claims.measuring.exams import read_positions
    from ...runs import artefact_folder
    from ...tasks import make_task

    world = make_task(name)
    try:
        states, values = read_positions(artefact_folder(run.path, exam), world)
    except (KeyError, ValueError, OSError) as error:
        raise OutputFolderError(
            f"The positions of {exam.cell} have another form than {name} has here ({error})."
        ) from error
    return world, states, np.asarray(values, float)


def _chosen(run: Shelved, record: Record, at: float | None, count: int) -> np.ndarray | None:
    """What the record chose in each position at a budget; None where it does not say."""
    said = record.columns.get("action")
    if said is None or list(said["axes"]) != ["budget", "position"]:
        return None
    actions = read_column(run.path, record, "action").values
    offered = budgets(record)
    row = offered.index(at) if at in offered else -1
    return actions[row].astype(int) if actions.shape[1] == count else None


def _board(
    world: Any, states: Any, values: np.ndarray, chosen: np.ndarray | None, lost: np.ndarray,
    row: int,
) -> dict[str, Any]:  # fmt: skip
    import jax
    import jax.numpy as jnp

    from ...tasks.moves import action_name
    from ..worlds import drawn

    state = jax.tree.map(lambda x: jnp.asarray(x[row]), states)
    picture: Picture | None = world.picture(state)
    worth = values[row] if values.ndim == 2 else np.zeros(0)
    legal = np.flatnonzero(~np.isnan(worth))
    best = [int(a) for a in legal if worth[a] >= np.nanmax(worth) - 1e-6]
    action = None if chosen is None else int(chosen[row])
    return {
        "row": row,
        "picture": None if picture is None else drawn(picture),
        "text": world.render(state),
        "mover": int(world.player(state)),
        "players": world.traits.players,
        "values": [
            {"action": int(a), "name": action_name(world, int(a)), "value": float(worth[a])}
            for a in legal
        ],
        "best": best,
        "best_names": _named(world, best),
        "chosen": action,
        "chosen_name": "" if action is None else action_name(world, action),
        "lost": float(lost[row]) if action is not None else None,
    }


def _named(world: Any, actions: Sequence[int]) -> str:
    from ...tasks.moves import action_name

    if len(actions) > 3:
        return f"any of {len(actions)}"
    return " or ".join(action_name(world, a) for a in actions)
