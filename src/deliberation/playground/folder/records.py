"""A record in words and numbers."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import DeliberationError, UnknownNameError
from ...report.numbers import number
from ...runs import Record, read_column
from ..settings import sentence_of
from .shelf import Shelved

_LONG = 240
_NUMBERS = 8
_FEW = 600
"""An array of no more numbers than this is shown whole."""


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
            span = sentence_of(error)
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
