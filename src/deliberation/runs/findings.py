"""What a claim gives back and a report shows: rows of the table, and figures as data.

`table.json` is {"schema": 2, "provenance": {...}, "rows": [...]}, rows in a fixed order. Numbers
that are NaN (not known) or infinite (no bound) are written as "NaN", "Infinity", "-Infinity".
"""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..core.display.panels import Band, Figure, Heat, Panel, Reference, Series
from .errors import RecordError
from .plain import plain, restore
from .storage import atomic_write

__all__ = [
    "CSV", "SCHEMA", "TABLE", "Band", "Figure", "Finding", "Heat", "Panel", "Reference", "Row",
    "Series", "read_table", "write_csv", "write_table",
]  # fmt: skip

SCHEMA = 2
TABLE = "table.json"
CSV = "table.csv"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity of one decider on one task, with its interval.

    `kind` says what a row is: a "claim" can be refuted, and has a `verdict` ("supported", "refuted"
    or "inconclusive") under one error rate for all claims of the table, and one `alone`, by its own
    interval; a "check" is true by construction where the instrument works ("holds", "fails"), and
    never counted; what is "told" claims nothing; what is "absent" was not measured, for a `reason`
    ("not applicable", "not measured"). What is claimed is that the quantity lies above `above`,
    below `below`, or between both: the smallest effect that matters. `unit` is that of the
    estimate, `over` what was resampled, `log` says that it is judged in logarithms, `censored` that
    it is only a bound of what is meant. `least` and `most` are what the quantity can be, where that
    is known: its interval is judged as it is, and read within them (`shown`). `timing` marks
    wall-clock numbers, which no two runs share.
    """

    claim: str
    aspect: str
    side: str = "both"
    kind: Literal["claim", "check", "told", "absent"] = "told"
    task: str
    decider: str
    quantity: str
    estimate: float
    low: float
    high: float
    n: int
    freedom: float = float("inf")
    unit: str = ""
    over: str = ""
    above: float | None = None
    below: float | None = None
    log: bool = False
    censored: bool = False
    verdict: str | None = None
    alone: str | None = None
    reason: str = ""
    timing: bool = False
    note: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def shown(self) -> tuple[float, float]:
        """The ends of the interval, within what the quantity can be."""
        least = -math.inf if self.least is None else self.least
        most = math.inf if self.most is None else self.most
        if not least <= self.estimate <= most:
            return self.low, self.high
        return max(self.low, least), min(self.high, most)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """All of one claim: what is said, what would refute it, what was measured.

    `aspect` is the row of the comparison table that it stands in, or "commentary"; `side` whom it
    is about ("direct", "amortised" or "both"). Declared before anything is measured: the
    `estimand`, the `unit` that it generalises over, and the `smallest` effect that matters.
    """

    claim: str
    aspect: str
    side: str
    title: str
    statement: str
    refuted_if: str
    estimand: str = ""
    unit: str = ""
    smallest: str = ""
    rows: list[Row] = []
    figures: list[Figure] = []
    summary: str = ""


def write_table(
    folder: Path | str, findings: Iterable[Finding], provenance: dict[str, Any] | None = None
) -> Path:
    """Write `table.json` in one step and return its path. Raises `StorageError`."""
    rows = [row for finding in findings for row in sorted(finding.rows, key=_order)]
    content = {
        "schema": SCHEMA,
        "provenance": provenance or {},
        "rows": [msgspec.structs.asdict(row) for row in rows],
    }
    path = Path(folder) / TABLE
    data = msgspec.json.format(msgspec.json.encode(plain(content, TABLE)), indent=1)
    atomic_write(path, data + b"\n")
    return path


def write_csv(folder: Path | str, findings: Iterable[Finding]) -> Path:
    """Write the same rows as `table.csv`, a column a field. Raises `StorageError`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row.__struct_fields__)
    for finding in findings:
        for row in sorted(finding.rows, key=_order):
            writer.writerow("" if x is None else x for x in msgspec.structs.astuple(row))
    path = Path(folder) / CSV
    atomic_write(path, out.getvalue().encode())
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
    return (row.claim, row.task, row.decider, row.quantity, row.timing, row.note)
