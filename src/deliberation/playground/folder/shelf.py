"""The folder of runs as a shelf: which runs are on it, how far each is, and no way off it.

A run is asked for by the name that the shelf lists it under, never by a path. What a name leads to,
through links too, has to lie within the folder.
"""

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import DeliberationError, OutputFolderError, UnknownNameError
from ...runs import Cell, Record, read_failures, read_manifest, read_records
from ...runs.announced import ANNOUNCED
from ...runs.artefacts import ARTEFACTS
from ...runs.chain import HEAD
from ...runs.failed import FILE as FAILURES
from ...runs.records import LOCK, MANIFEST, RECORDS
from ..kept import Kept
from ..settings import Settings, readable, sentence_of

HERE = "."
"""The name of the run that the folder itself holds."""
KINDS = {"claims": "table", "zoo": "zoo", "advice": "advice"}
"""What a manifest asks for, and what such a run is called."""
AUDIT, AUDIT_PAGE = "audit.json", "audit.html"
FRESH = 45.0
"""Where no lock tells: what wrote so many seconds ago is taken to be going on."""
_MOST = 200
_LARGEST = 200_000_000
LARGEST_JSON = 20_000_000
"""Bytes of a file of an audit; usual ones have some hundred thousand."""
_SHELVES = Kept(8)


class Shelved(NamedTuple):
    """A run: its name on the shelf, its folder, and its kind (table, audit, zoo, advice)."""

    name: str
    path: Path
    kind: str


class Shelf:
    """The runs of a folder: the folder itself where it is one, and those one level deep in it."""

    def __init__(self, root: Path, tasks: tuple[str, ...] = ()):
        self.root, self.tasks = root.resolve(), tasks
        self._records, self._plans = Kept(16), Kept(64)
        self._planning = threading.Lock()
        self._asked: set[tuple[str, ...]] = set()

    def runs(self) -> list[Shelved]:
        """All runs, the one written last first. Raises `OutputFolderError`."""
        try:
            paths = [p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith(".")]
        except OSError as error:
            raise OutputFolderError(
                f"{self.root.name} cannot be read ({error.strerror}): name another --runs folder."
            ) from error
        found = [(HERE, self.root), *_named(sorted(paths)[:_MOST])]
        kinds = ((name, path, self._kind(path)) for name, path in found if self._within(path))
        shelved = [Shelved(name, path, kind) for name, path, kind in kinds if kind]
        return sorted(shelved, key=lambda run: -changed(run))

    def find(self, name: str) -> Shelved:
        """A run by its name on the shelf. Raises `UnknownNameError`."""
        runs = {run.name: run for run in self.runs()}
        if name not in runs:
            raise UnknownNameError("run", name[:80], runs)
        return runs[name]

    def file(self, run: Shelved, *parts: str) -> Path:
        """A file of a run. Raises `OutputFolderError` where it lies outside, or is none."""
        path = run.path.joinpath(*parts)
        if not self._within(path):
            raise OutputFolderError(f"{'/'.join(parts)[:80]} leads out of the folder of runs.")
        if not path.is_file():
            raise OutputFolderError(f"{run.name} has no {'/'.join(parts)[:80]} (yet).")
        if path.stat().st_size > _LARGEST:
            raise OutputFolderError(f"{path.name} is larger than {_LARGEST:,} bytes: not shown.")
        return path

    def manifest(self, run: Shelved) -> dict[str, Any]:
        """What a run was asked for. Raises `OutputFolderError`."""
        self.file(run, MANIFEST)
        manifest = read_manifest(run.path)
        if not isinstance(manifest, dict):
            raise OutputFolderError(f"{MANIFEST} of {run.name} says nothing of what was asked for.")
        for name in ("tasks", *KINDS):
            some = manifest.get(name) or []
            if not isinstance(some, list | tuple) or not all(isinstance(x, str) for x in some):
                raise OutputFolderError(
                    f"{MANIFEST} of {run.name} cannot be read: its {name} are no list of names."
                )
        return manifest

    def records(self, run: Shelved) -> dict[str, Record]:
        """What is measured so far. Raises `OutputFolderError` and `RecordError`."""
        for name in (MANIFEST, RECORDS, HEAD, FAILURES):
            if os.path.lexists(run.path / name):
                self.file(run, name)
        return self._records.get((run.name, stamp(run)), lambda: self._read(run))

    def _read(self, run: Shelved) -> dict[str, Record]:
        found = read_records(run.path)
        for record in found.values():
            for name in record.artefacts:
                # Analyses read these by the record's word: it must not lead them elsewhere.
                if not self._within(run.path / ARTEFACTS / (record.home or record.cell) / name):
                    raise OutputFolderError(
                        f"The files of record {record.cell} lead out of the folder of runs."
                    )
        return found

    def known(self, task: str) -> bool:
        """Whether a task may be made here: registered, or named when the playground was started.

        The folder may be anybody's, and other names would have modules imported.
        """
        from ...tasks import list_tasks
        from ...tasks.names import split_name

        try:
            return task in self.tasks or split_name(task)[0] in list_tasks()
        except DeliberationError:
            return False

    def planned(self, run: Shelved) -> list[Cell] | None:
        """All cells of a run, or None where this version cannot tell. Takes seconds at first."""
        manifest = self.manifest(run)
        name = json.dumps(manifest, sort_keys=True, default=str)
        return self._plans.get(name, lambda: (self._plan(manifest),))[0]

    def first(self, told: Mapping[str, Any]) -> bool:
        """Whether it is to be found out now how much a run is to measure, by its state: once."""
        name = (told["name"], *told["about"])
        if told["of"] is not None or told["kind"] not in ("table", "zoo") or name in self._asked:
            return False
        self._asked.add(name)
        return True

    def planned_already(self, run: Shelved) -> list[Cell] | None:
        """The same if it is known already."""
        name = json.dumps(self.manifest(run), sort_keys=True, default=str)
        return (self._plans.peek(name) or (None,))[0]

    def _plan(self, manifest: Mapping[str, Any]) -> list[Cell] | None:
        if not all(self.known(task) for task in manifest.get("tasks") or []):
            return None
        try:
            with self._planning:
                return _cells(manifest)
        except (DeliberationError, LookupError, TypeError, ValueError, AttributeError):
            return None

    def told(self, error: Exception) -> str:
        """What an error says, without where on the disk the folder is, nor breaks in names."""
        said = str(error).replace(f"{self.root}/", "").replace(str(self.root), "the folder")
        with contextlib.suppress(OSError):
            for name in os.listdir(self.root):
                said = said.replace(name, " ".join(name.split()) or name)
        return sentence_of(said)

    def _within(self, path: Path) -> bool:
        return is_within(path, self.root)

    def _kind(self, path: Path) -> str:
        if (path / MANIFEST).is_file():
            try:
                asked = read_manifest(path) if self._within(path / MANIFEST) else {}
            except (DeliberationError, OSError):
                return "unreadable"
            if not isinstance(asked, dict):
                return "unreadable"
            kinds = (kind for key, kind in KINDS.items() if key in asked)
            return next(kinds, "other")
        if (path / AUDIT).is_file() or (path / ANNOUNCED).is_file() or answers(path):
            return "audit"
        return ""


def _named(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Folders by names that can be written, which lead back to them: as they are where that is so.

    A name that is no UTF-8 is told by its bytes, and marked where another folder is called so.
    """
    taken, found = {path.name for path in paths if readable(path.name) == path.name}, []
    for path in paths:
        name = path.name
        if readable(name) != name:
            name = readable(name)
            while name in taken:
                name += "'"
            taken.add(name)
        found.append((name, path))
    return found


def is_within(path: Path, root: Path) -> bool:
    """Whether a path leads into a folder, links and all."""
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # a circle of links, or a null byte
        return False


def shelf_at(settings: Settings) -> Shelf:
    """The folder that the playground was started with, else the current one."""
    root, tasks = settings.runs or Path.cwd(), settings.tasks
    return _SHELVES.get((root, tasks), lambda: Shelf(root, tasks))


def _cells(manifest: Mapping[str, Any]) -> list[Cell] | None:
    if "zoo" in manifest:
        from ...zoo import plan

        return plan(manifest["effort"], only=manifest["zoo"], tasks=manifest.get("tasks") or None)
    if "claims" in manifest:
        from ... import claims

        known = [name for name in manifest["claims"] if name in claims.list_claims()]
        return claims.plan(manifest["tasks"], manifest["effort"], only=known)
    return None


def answers(path: Path) -> list[Path]:
    """The files of the probes that were answered, if a folder is an audit's."""
    return [path / f"{name}.json" for name in _probes() if (path / f"{name}.json").is_file()]


@functools.cache
def _probes() -> tuple[str, ...]:
    from ...audit import list_probes

    return tuple(list_probes())


def stamp(run: Shelved) -> tuple[tuple[str, int, int], ...]:
    """When which of a run's files were written last, and how long they are."""
    names = (MANIFEST, RECORDS, HEAD, FAILURES, AUDIT, AUDIT_PAGE, "report.html", "table.json")
    files = [run.path / name for name in names]
    if run.kind == "audit":
        files += [run.path / ANNOUNCED, *answers(run.path)]
    found = []
    for path in files:
        try:
            told = path.stat()
        except OSError:
            continue
        found.append((path.name, told.st_mtime_ns, told.st_size))
    return tuple(found)


def changed(run: Shelved) -> float:
    """When a run was written last, in seconds since 1970."""
    return max((when for name, when, _ in stamp(run)), default=0) / 1e9


def running(run: Shelved) -> bool:
    """Whether somebody is writing a run: its lock is held.

    The kernel's list is read, since taking the lock to see whether it is free could keep a run from
    starting. Where there is no such list, it is whether it was written just now.
    """
    recent = time.time() - changed(run) < FRESH
    if run.kind == "audit" and not (run.path / ANNOUNCED).exists():  # of an older version
        return recent and not (run.path / AUDIT_PAGE).exists()
    try:
        told = os.stat(run.path / LOCK)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return recent
    inode = f"{os.major(told.st_dev):02x}:{os.minor(told.st_dev):02x}:{told.st_ino}"
    return any(inode in line.split() for line in lines)


def state(shelf: Shelf, run: Shelved) -> dict[str, Any]:
    """How far a run is: what a line of the list says. A broken one says what is wrong with it."""
    told: dict[str, Any] = {
        "name": run.name, "kind": run.kind, "changed": changed(run), "done": None, "of": None,
        "failed": 0, "running": False, "title": run.name, "about": [], "trouble": "",
        "page": any((run.path / name).is_file() for name in ("report.html", AUDIT_PAGE)),
    }  # fmt: skip
    if run.name == HERE:
        told["title"] = readable(shelf.root.name)
    try:
        told |= _audited(shelf, run) if run.kind == "audit" else _measured(shelf, run)
    except (DeliberationError, OSError) as error:
        told["trouble"] = shelf.told(error)
    except Exception as error:  # A folder may hold anything: its own line says so, not the list.
        told["trouble"] = f"{run.name} cannot be read ({type(error).__name__})."
    whole = told["of"] is not None and told["done"] == told["of"]
    told["state"] = (
        "broken" if told["trouble"] else "running" if told["running"] else "finished" if whole
        else "stopped" if told["of"] is not None else "ended" if told["page"] else "recorded"
    )  # fmt: skip
    return told


def _measured(shelf: Shelf, run: Shelved) -> dict[str, Any]:
    manifest, records = shelf.manifest(run), shelf.records(run)
    cells = shelf.planned_already(run)
    tasks = [str(task) for task in manifest.get("tasks") or ()]
    some = manifest.get("claims") or manifest.get("zoo") or ()
    noun = {"table": "claim", "zoo": "decider"}.get(run.kind, "")
    count = f"{len(some)} {noun}{'' if len(some) == 1 else 's'}" if noun else ""
    last = list(records.values())[-1:]
    return {
        "done": len(records) if cells is None else sum(c.id in records for c in cells),
        "of": None if cells is None else len(cells),
        "failed": len(read_failures(run.path)),
        "running": running(run),
        "effort": str(manifest.get("effort", "")),
        "tasks": tasks,
        "about": [x for x in (", ".join(tasks), count, str(manifest.get("effort", ""))) if x],
        "seconds": sum(record.seconds for record in records.values()),
        "last": [record.cell for record in last],
    }


def _audited(shelf: Shelf, run: Shelved) -> dict[str, Any]:
    """How far an audit is, by what it said at its start and by what is answered.

    What was asked again, of fewer probes perhaps, is told by that; what was not answered yet may
    have been by the audit before.
    """
    there, whole, going = answers(run.path), (run.path / AUDIT).is_file(), running(run)
    told: dict[str, Any] = {"done": len(there), "of": None, "running": going}
    if (run.path / ANNOUNCED).is_file():
        asked = read_json(shelf.file(run, ANNOUNCED))
        probes = asked.get("probes")
        names = {str(name) for name in probes} if isinstance(probes, list) else set()
        told |= {"done": sum(path.stem in names for path in there), "of": len(names) or None}
        told["about"] = [str(asked.get(name, "")) for name in ("subject", "task", "effort")]
    else:
        told["about"] = [f"of {len(_probes())} probes that there are"]
    if whole and not going:
        profile = read_json(shelf.file(run, AUDIT))
        about = [str(profile.get(name, "")) for name in ("subject", "task", "effort")]
        if not (run.path / ANNOUNCED).is_file():
            told["about"] = about
        put = profile.get("answers")
        told["done"] = told["of"] = len(put) if isinstance(put, list) else 0
    return told


def read_json(path: Path) -> dict[str, Any]:
    """An object in a file. Raises `OutputFolderError` where it is none, or is half written."""
    try:
        if (size := path.stat().st_size) > LARGEST_JSON:
            raise ValueError(f"{size:,} bytes, more than {LARGEST_JSON:,}")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise OutputFolderError(
            f"{path.parent.name}/{path.name} cannot be read ({error}): it is broken or half "
            "written. Make the same call again."
        ) from error
    if not isinstance(found, dict):
        raise OutputFolderError(f"{path.parent.name}/{path.name} holds no object.")
    return found
