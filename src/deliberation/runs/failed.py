"""Why cells of a run have no record: kept beside the records until the cells are tried again."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..core.errors import StorageError
from .storage import atomic_write

FILE = "failures.json"


def keep_failures(folder: Path | str, failures: Mapping[str, str]) -> None:
    """By cell, why it failed in the last call; nothing is left of an earlier one.

    A full disk keeps nothing: the reasons are told at the end of the call as well.
    """
    path = Path(folder) / FILE
    try:
        if failures:
            atomic_write(path, msgspec.json.format(msgspec.json.encode(dict(failures))) + b"\n")
        else:
            path.unlink(missing_ok=True)
    except (StorageError, OSError):
        return


def read_failures(folder: Path | str) -> dict[str, str]:
    """Those of the last call by cell; none where all went well, or the file cannot be read."""
    try:
        return msgspec.json.decode((Path(folder) / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
