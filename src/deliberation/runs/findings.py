"""What a claim gives back and a report shows: rows of the table, and figures as data.

`table.json` is {"schema": 1, "provenance": {...}, "rows": [...]}, rows in a fixed order. Numbers
that are NaN (not known) or infinite (no bound) are written as "NaN", "Infinity", "-Infinity".
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from .errors import RecordError
from .plain import plain, restore
from .storage import atomic_write

SCHEMA = 1
TABLE = "table.json"
Scale = Literal["linear", "log2", "log10"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity of one decider on one task, with its interval.

    `verdict` is "supported", "refuted" or "inconclusive", or None where the row claims nothing.
    `timing` marks wall-clock numbers, which no two runs share.
    """

    claim: str
    item: int
    task: str
    decider: str
    quantity: str
    estimate: float
    low: float
    high: float
    n: int
    verdict: str | None = None
    timing: bool = False
    note: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line, cloud of points or staircase, with an interval at each x where known."""

    label: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    kind: Literal["line", "points", "step"] = "line"


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """A surface z[y][x] shown as colour, with isolines at the given values of z."""

    x: list[float]
    y: list[float]
    z: list[list[float]]
    isolines: list[float] = []


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A horizontal line that series are compared with."""

    label: str
    y: float


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    series: list[Series] = []
    references: list[Reference] = []
    heat: Heat | None = None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Panels under one title; `alternative` says in words what the picture shows."""

    title: str
    panels: list[Panel]
    alternative: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """All of one claim: what is said, what would refute it, what was measured."""

    claim: str
    item: int
    title: str
    statement: str
    refuted_if: str
    rows: list[Row] = []
    figures: list[Figure] = []
    summary: str = ""


def write_table(
    folder: Path | str, findings: Iterable[Finding], provenance: dict[str, Any] | None = None
) -> Path:
    """Write `table.json` in one step and return its path. Raises `StorageError`."""
    rows = sorted((row for finding in findings for row in finding.rows), key=_order)
    content = {
        "schema": SCHEMA,
        "provenance": provenance or {},
        "rows": [msgspec.structs.asdict(row) for row in rows],
    }
    path = Path(folder) / TABLE
    data = msgspec.json.format(msgspec.json.encode(plain(content, TABLE)), indent=1)
    atomic_write(path, data + b"\n")
    return path


def read_table(folder: Path | str) -> list[Row]:
    """The rows of a folder's `table.json`. Raises `RecordError` where it cannot be read."""
    path = Path(folder) / TABLE
    try:
        content = restore(msgspec.json.decode(path.read_bytes()))
        return msgspec.convert(content["rows"], list[Row])
    except (OSError, msgspec.MsgspecError, TypeError, KeyError) as error:
        raise RecordError(
            f"{path} cannot be read ({error}): rebuild it with `deliberate report {folder}`."
        ) from error


def _order(row: Row) -> tuple[Any, ...]:
    return (row.item, row.claim, row.task, row.decider, row.quantity, row.timing, row.note)
