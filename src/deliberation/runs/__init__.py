"""Cells of work, run in worker processes and kept as records; what was found, and on what."""

from typing import TYPE_CHECKING

from ..core.lazy import attach

if TYPE_CHECKING:
    from .cells import Cell
    from .errors import CellError, FolderBusyError, RecordError
    from .execution import execute
    from .findings import (
        Figure,
        Finding,
        Heat,
        Panel,
        Reference,
        Row,
        Series,
        read_table,
        write_table,
    )
    from .progress import Progress, RichProgress
    from .records import Record, RecordFile, read_manifest, read_records
    from .storage import atomic_write
    from .worker import Context, Outcome

_HOMES = {
    "Cell": "cells",
    "CellError": "errors",
    "Context": "worker",
    "Figure": "findings",
    "Finding": "findings",
    "FolderBusyError": "errors",
    "Heat": "findings",
    "Outcome": "worker",
    "Panel": "findings",
    "Progress": "progress",
    "Record": "records",
    "RecordError": "errors",
    "RecordFile": "records",
    "Reference": "findings",
    "RichProgress": "progress",
    "Row": "findings",
    "Series": "findings",
    "atomic_write": "storage",
    "execute": "execution",
    "read_manifest": "records",
    "read_records": "records",
    "read_table": "findings",
    "write_table": "findings",
}

__getattr__, __all__ = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
