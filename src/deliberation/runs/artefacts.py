"""The files that cells leave, each cell in a folder of its own, known by their hashes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from .chain import CURE
from .errors import RecordError

ARTEFACTS = "artefacts"
_MOST = 5
"""So many files are named where more are not as they were written."""


def home_of(cell: str, code: str, attempt: str = "") -> str:
    """The name of the folder for what a cell leaves when a version of the code measures it.

    With the code in it, a cell that is measured again leaves the recorded files alone, so that a
    run killed before the new record is written still has the files of the old one. On a cluster
    each attempt has a name of its own: workers may go on after the run that sent them is gone.
    """
    return "-".join(part for part in (cell, code, attempt) if part)


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each file below a folder, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def check_files(folder: Path, recorded: Mapping[str, str], shown: str = "") -> None:
    """Compare the files below a folder with their recorded hashes; `shown` is where they come from.

    Raises `RecordError`, which names the files that are missing, altered or not recorded.
    """
    found = hashes(folder) if folder.is_dir() else {}
    wrong = [
        f"{shown or folder}/{name} {_what(found.get(name), recorded.get(name))}"
        for name in sorted({*found, *recorded})
        if found.get(name) != recorded.get(name)
    ]
    if wrong:
        more = f"; and {len(wrong) - _MOST} more" if len(wrong) > _MOST else ""
        raise RecordError(f"{'; '.join(wrong[:_MOST])}{more}. {CURE}")


def _what(found: str | None, recorded: str | None) -> str:
    if found is None:
        return "is missing"
    return "is not recorded" if recorded is None else "was altered after it was written"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
