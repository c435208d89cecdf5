"""Records: what each cell found, one line of JSON each, appended and never changed.

A folder holds one run: `run.json` says which, `records.jsonl` what is measured so far, `head.json`
how many lines those are, and `artefacts/<cell id>-<code>/` whatever files a cell left. Each line
holds the digest of the one before it, the first that of `run.json` (see `chain`). A cell that was
measured again by another version of the code has several lines; the latest is its record.
"""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import OutputFolderError, StorageError
from .chain import CURE, Head, check_heads, digest_of, read_head, sweep_heads, write_head
from .errors import RecordError
from .plain import canonical, plain, restore
from .storage import PART, append_line, atomic_write, lock, storage_error

SCHEMA = 2
MANIFEST, RECORDS, LOCK = "run.json", "records.jsonl", ".lock"


class Record(msgspec.Struct, frozen=True):
    """What one cell found, what that cost, and on what it was found.

    `spent` is a ledger as a dict, with null for unknown amounts; `started` is UTC in ISO format;
    `code` is the version of the source that measured it (`provenance.code`);
    `artefacts` are the sha256 of the files that the cell left, by their paths in the folder that
    `home` names;
    `columns` says of each array in the cell's `columns.npz` its axes, unit, shape and dtype;
    `previous` is the digest of the line before, or of `run.json`, which the file fills in;
    `where` says in which positions it was measured, a few of them (`core.witness`); {} in records
    of versions that kept none;
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
    code: str = ""
    home: str = ""
    columns: dict[str, Any] = {}
    where: dict[str, Any] = {}
    artefacts: dict[str, str] = {}
    versions: dict[str, str | None] = {}
    machine: dict[str, Any] = {}
    commit: str | None = None
    dirty: bool | None = None
    schema: int = SCHEMA
    previous: str = ""
    digest: str = ""


_ODD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What is raised of bytes that are no JSON, no text, or nested too deeply."""
_OTHER_SCHEMA = (
    f"this version reads {SCHEMA}. Measure into a new --out folder, or read this one with the "
    "version of deliberation that wrote it: its records name the commit."
)


def encode(record: Record) -> bytes:
    """One line, with the digest of everything else in it."""
    content = plain(msgspec.structs.asdict(record), "record")
    del content["digest"]
    return canonical({**content, "digest": digest_of(canonical(content))}) + b"\n"


def decode(line: bytes, where: str) -> Record:
    """The record in a line. Raises `RecordError` naming the line and what is wrong with it."""
    try:
        content = msgspec.json.decode(line)
        digest, schema = content.pop("digest"), content["schema"]
    except (*_ODD, TypeError, AttributeError, KeyError) as error:
        raise RecordError(
            f"{where} is not a record ({error}): it was altered after it was written. {CURE}"
        ) from error
    if schema != SCHEMA:
        raise RecordError(f"{where} has schema {schema}; {_OTHER_SCHEMA}")
    if digest != digest_of(canonical(content)):
        raise RecordError(
            f"{where} (cell {content.get('cell')}, {content.get('function')}) was altered after "
            f"it was written: its digest does not match. {CURE}"
        )
    return msgspec.convert({**restore(content), "digest": digest}, Record)


class RecordFile:
    """The records of a run's folder, open for its one writer.

    Opening creates the folder and its manifest, or checks that it is this run's, takes its lock
    and drops a last line that was cut off while it was written. `artefacts` is an address at which
    the run's cells keep their files, if that is not the folder. Raises `OutputFolderError`,
    `FolderBusyError`, `RecordError`, `StorageError`. Use it in a `with` statement.
    """

    def __init__(self, folder: Path | str, manifest: dict[str, Any], artefacts: str | None = None):
        self.folder = Path(folder)
        self.path = self.folder / RECORDS
        _refuse_foreign(self.folder)
        self._lock = lock(self.folder / LOCK)
        self._file = -1
        try:
            _claim(self.folder, manifest, artefacts)
            self.place = place_of(self.folder)
            self._file = _open(self.path)
            self.records, self._head = self._load()
        except BaseException:
            self.close()
            raise

    def append(self, record: Record) -> Record:
        """Write one record durably; as a whole or not at all. Returns it as a reader would."""
        line = encode(msgspec.structs.replace(record, previous=self._head.digest))
        size = os.fstat(self._file).st_size
        append_line(self._file, line, self.path)
        kept = decode(line, "the new record")
        head = Head(self._head.length + 1, kept.digest)
        try:
            write_head(self.folder, head)
        except StorageError:
            os.ftruncate(self._file, size)
            raise
        self._head = head
        _put(self.records, kept)
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

    def _load(self) -> tuple[dict[str, Record], Head]:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        digests, records = _decode_all(data[:whole], self.path)
        head, true = read_head(self.folder), Head(len(digests) - 1, digests[-1])
        check_heads(self.folder, digests, head, head)
        if whole < len(data):
            # One truncation: it needs no room, and there is no moment at which it is half done.
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        sweep_heads(self.folder)
        if head != true:
            write_head(self.folder, true)
        return records, true


def read_records(folder: Path | str) -> dict[str, Record]:
    """The latest record of each cell by its id, in the order in which they were written.

    The folder is not touched, and a run may be going on in it.
    Raises `OutputFolderError` where there is no run, and `RecordError`.
    """
    read_manifest(folder)
    path = Path(folder) / RECORDS
    before = read_head(path.parent)
    data = path.read_bytes() if path.exists() else b""
    after = read_head(path.parent)
    digests, records = _decode_all(data[: data.rfind(b"\n") + 1], path)
    check_heads(path.parent, digests, before, after)
    return records


def codes(records: Mapping[str, Record]) -> list[str]:
    """The different versions of the code that measured some records; several do not compare."""
    return list(dict.fromkeys(record.code for record in records.values() if record.code))


def current(records: Mapping[str, Record], code: str) -> set[str]:
    """The ids of cells that a version of the code need not measure again.

    These are recorded by it, and so are the cells that they need, before them. `records` are in
    the order in which they were written.
    """
    found: set[str] = set()
    for cell, record in records.items():
        if record.code == code and found.issuperset(record.needs):
            found.add(cell)
    return found


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """What the run in a folder was asked for. Raises `OutputFolderError` where there is none."""
    try:
        return restore(_read_claim(folder)["manifest"])
    except RecursionError as error:
        path = Path(folder) / MANIFEST
        raise OutputFolderError(f"{path} cannot be read: it is nested too deeply.") from error


def place_of(folder: Path | str) -> str:
    """The address at which a run's files are, or "" where that is its folder.

    Raises `OutputFolderError` where there is no run.
    """
    claim = _read_claim(folder)
    return f"{claim['artefacts']}/{claim['run']}" if claim.get("artefacts") else ""


def seen(folder: Path) -> bool:
    """Whether a run's folder is there, as seen from this machine."""
    return (folder / MANIFEST).exists()


def _read_claim(folder: Path | str) -> dict[str, Any]:
    path = Path(folder) / MANIFEST
    try:
        content = msgspec.json.decode(path.read_bytes())
        if content["schema"] != SCHEMA:
            raise OutputFolderError(f"{path} has schema {content['schema']}; {_OTHER_SCHEMA}")
        if not isinstance(content["manifest"], dict):
            raise OutputFolderError(f"{path} cannot be read: what was asked for is no object.")
        return content
    except FileNotFoundError as error:
        raise OutputFolderError(
            f"{folder} holds no run ({MANIFEST} is missing): name the --out folder of a run."
        ) from error
    except OutputFolderError:
        raise
    except (*_ODD, TypeError, KeyError) as error:
        raise OutputFolderError(f"{path} cannot be read ({error}). {CURE}") from error


def _decode_all(data: bytes, path: Path) -> tuple[list[str], dict[str, Record]]:
    """The digests of `run.json` and of each line, and the latest record of each cell."""
    digests, records = [digest_of((path.parent / MANIFEST).read_bytes())], {}
    for i, line in enumerate(data.splitlines(), 1):
        record = decode(line, f"{path}, line {i}")
        if record.previous != digests[-1]:
            raise RecordError(_unchained(path, i, record))
        digests.append(record.digest)
        _put(records, record)
    return digests, records


def _put(records: dict[str, Record], record: Record) -> None:
    """The latest record of a cell, after all that were written before it."""
    records.pop(record.cell, None)
    records[record.cell] = record


def _unchained(path: Path, line: int, record: Record) -> str:
    where = f"{path}, line {line} (cell {record.cell}, {record.function})"
    if line == 1:
        return (
            f"{where} does not follow from {MANIFEST}: lines before it are missing or were moved, "
            f"or {MANIFEST} was altered. {CURE}"
        )
    return f"{where} does not follow line {line - 1}: lines are missing, added or moved. {CURE}"


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


def _claim(folder: Path, manifest: dict[str, Any], artefacts: str | None) -> None:
    """Write the manifest, or check that the one there is the same."""
    wanted = plain(manifest, "manifest")
    if not (folder / MANIFEST).exists():
        claim = {"schema": SCHEMA, "manifest": wanted}
        if artefacts:
            # Two runs may name the same address: their cells may too.
            claim |= {"artefacts": artefacts.rstrip("/"), "run": uuid.uuid4().hex[:16]}
        atomic_write(folder / MANIFEST, canonical(claim) + b"\n")
        return
    there = _read_claim(folder).get("artefacts")
    if artefacts and artefacts.rstrip("/") != there:
        raise OutputFolderError(
            f"The run in {folder} keeps its files {f'at {there}' if there else 'there'}, and not "
            f"at {artefacts}: leave --artefacts out, or choose another --out."
        )
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
