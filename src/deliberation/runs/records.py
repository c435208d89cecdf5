"""Records: what each cell found, one line of JSON each, appended and never changed.

A folder holds one run: `run.json` says which, `records.jsonl` what is measured so far, and
`artefacts/<cell id>/` whatever files a cell left.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import OutputFolderError
from .errors import RecordError
from .plain import canonical, plain, restore
from .storage import PART, append_line, atomic_write, lock, storage_error

SCHEMA = 1
MANIFEST, RECORDS, LOCK = "run.json", "records.jsonl", ".lock"


class Record(msgspec.Struct, frozen=True):
    """What one cell found, what that cost, and on what it was found.

    `spent` is a ledger as a dict, with null for unknown amounts; `started` is UTC in ISO format;
    `columns` says of each array in the cell's `columns.npz` its axes, unit, shape and dtype;
    `commit` and `dirty` are null where the package does not run from a source checkout.
    """

    cell: str
    function: str
    settings: dict[str, Any]
    needs: tuple[str, ...]
    outcomes: dict[str, Any]
    spent: dict[str, Any]
    seconds: float
    started: str
    columns: dict[str, Any] = {}
    versions: dict[str, str | None] = {}
    machine: dict[str, Any] = {}
    commit: str | None = None
    dirty: bool | None = None
    schema: int = SCHEMA
    digest: str = ""


def encode(record: Record) -> bytes:
    """One line, with the digest of everything else in it."""
    content = plain(msgspec.structs.asdict(record), "record")
    del content["digest"]
    return canonical({**content, "digest": _digest(content)}) + b"\n"


def decode(line: bytes, where: str) -> Record:
    """The record in a line. Raises `RecordError` naming the line and what is wrong with it."""
    try:
        content = msgspec.json.decode(line)
        digest, schema = content.pop("digest"), content["schema"]
    except (msgspec.DecodeError, TypeError, AttributeError, KeyError) as error:
        raise RecordError(
            f"{where} is not a record ({error}). Delete that line to measure its cell again, "
            "or restore the file from a copy."
        ) from error
    if schema != SCHEMA:
        raise RecordError(
            f"{where} has schema {schema}; this version reads {SCHEMA}. Choose another --out, "
            "or read the folder with the version that wrote it."
        )
    if digest != _digest(content):
        raise RecordError(
            f"{where} (cell {content.get('cell')}, {content.get('function')}) was altered after "
            "it was written: its digest does not match. Delete that line to measure the cell "
            "again, or restore the file from a copy."
        )
    return msgspec.convert({**restore(content), "digest": digest}, Record)


class RecordFile:
    """The records of a run's folder, open for its one writer.

    Opening creates the folder and its manifest, or checks that it is this run's, takes its lock
    and drops a last line that was cut off while it was written. Raises `OutputFolderError`,
    `FolderBusyError`, `RecordError`, `StorageError`. Use it in a `with` statement.
    """

    def __init__(self, folder: Path | str, manifest: dict[str, Any]):
        self.folder = Path(folder)
        self.path = self.folder / RECORDS
        _refuse_foreign(self.folder)
        self._lock = lock(self.folder / LOCK)
        self._file = -1
        try:
            _claim(self.folder, manifest)
            self._file = _open(self.path)
            self.records = self._load()
        except BaseException:
            self.close()
            raise

    def append(self, record: Record) -> Record:
        """Write one record durably; as a whole or not at all. Returns it as a reader would."""
        line = encode(record)
        append_line(self._file, line, self.path)
        self.records[record.cell] = kept = decode(line, "the new record")
        return kept

    def close(self) -> None:
        """Let go of the file and the lock."""
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load(self) -> dict[str, Record]:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        records = _decode_all(data[:whole], self.path)
        if whole < len(data):
            # One truncation: it needs no room, and there is no moment at which it is half done.
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        return records


def read_records(folder: Path | str) -> dict[str, Record]:
    """The records of a folder by cell id, without touching it; also while a run goes on.

    Raises `OutputFolderError` where there is no run, and `RecordError`.
    """
    read_manifest(folder)
    path = Path(folder) / RECORDS
    data = path.read_bytes() if path.exists() else b""
    return _decode_all(data[: data.rfind(b"\n") + 1], path)


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """What the run in a folder was asked for. Raises `OutputFolderError` where there is none."""
    path = Path(folder) / MANIFEST
    try:
        content = msgspec.json.decode(path.read_bytes())
        if content["schema"] != SCHEMA:
            raise OutputFolderError(
                f"{path} has schema {content['schema']}; this version reads {SCHEMA}. "
                "Choose another --out, or delete the folder."
            )
        return restore(content["manifest"])
    except FileNotFoundError as error:
        raise OutputFolderError(
            f"{folder} holds no run ({MANIFEST} is missing): name the --out folder of a run."
        ) from error
    except (msgspec.DecodeError, TypeError, KeyError) as error:
        raise OutputFolderError(
            f"{path} cannot be read ({error}): choose another --out, or delete the folder."
        ) from error


def _decode_all(data: bytes, path: Path) -> dict[str, Record]:
    lines = data.splitlines()
    records = (decode(line, f"{path}, line {i}") for i, line in enumerate(lines, 1))
    return {record.cell: record for record in records}


def _refuse_foreign(folder: Path) -> None:
    """Create the folder, or refuse one that holds something that is no run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    except FileExistsError as error:
        raise OutputFolderError(f"{folder} is a file: choose another --out.") from error
    except OSError as error:
        raise storage_error(f"use the folder {folder}", error) from error
    ours = {n for n in names if n == LOCK or (n.startswith(f".{MANIFEST}.") and n.endswith(PART))}
    if MANIFEST not in names and names - ours:
        raise OutputFolderError(
            f"{folder} is not empty and holds no run ({min(names - ours)} is in it, {MANIFEST} is "
            "not): choose another --out."
        )


def _claim(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or check that the one there is the same."""
    wanted = plain(manifest, "manifest")
    if not (folder / MANIFEST).exists():
        atomic_write(folder / MANIFEST, canonical({"schema": SCHEMA, "manifest": wanted}) + b"\n")
        return
    found = plain(read_manifest(folder), "manifest")
    if canonical(found) != canonical(wanted):
        keys = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
        differ = "; ".join(f"{k}: {found.get(k)!r} there, {wanted.get(k)!r} asked" for k in keys)
        raise OutputFolderError(
            f"{folder} holds another run's records ({differ}): choose another --out, "
            "or delete the folder to start over."
        )


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise storage_error(f"open {path}", error) from error


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()
