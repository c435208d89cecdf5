"""From a run's folder to its table and its page: everything is read from the records again."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .. import claims
from ..core.errors import OutputFolderError
from ..runs.findings import Finding, write_table
from ..runs.records import Record, read_manifest, read_records
from ..runs.storage import atomic_write
from .html import page
from .numbers import duration

REPORT = "report.html"


def findings(folder: Path | str) -> list[Finding]:
    """What the claims make of a folder's records.

    Raises `OutputFolderError` where there is no run, one of the zoo, or cells are missing, and
    `RecordError`.
    """
    manifest, records = manifest_of(folder, "claims"), read_records(folder)
    tasks, effort, only = manifest["tasks"], manifest["effort"], manifest["claims"]
    cells = claims.plan(tasks, effort, only=only)
    missing = sum(cell.id not in records for cell in cells)
    if missing:
        raise OutputFolderError(
            f"{folder} holds {len(cells) - missing} of {len(cells)} cells: the run has not ended, "
            f"or this version measures more. Go on with `{_command(manifest, folder)}`."
        )
    return claims.analyse(records, tasks, effort, only=only)


def manifest_of(folder: Path | str, kind: str) -> dict[str, Any]:
    """What a run of a kind ("claims" or "zoo") was asked for.

    Raises `OutputFolderError` where there is no run, or one of another kind.
    """
    manifest = read_manifest(folder)
    if kind not in manifest:
        raise OutputFolderError(
            f"{folder} holds a run of another kind: {', '.join(manifest)} were asked for, and not "
            f"{kind}. `deliberate report {folder}` shows whichever it is."
        )
    return manifest


def _command(manifest: dict[str, Any], folder: Path | str) -> str:
    """The command that this run came from."""
    only = manifest["claims"]
    some = [] if only == list(claims.list_claims()) else [f"--claim {name}" for name in only]
    words = ["deliberate table", *manifest["tasks"], f"--effort {manifest['effort']}", *some]
    return " ".join([*words, f"--out {folder}"])


def build(folder: Path | str, found: Sequence[Finding] | None = None) -> Path:
    """Write table.json and report.html into a run's folder; returns the page's path.

    `found` saves analysing again where that was done. Raises as `findings` does, and
    `StorageError`.
    """
    folder = Path(folder)
    found = findings(folder) if found is None else found
    shown = provenance(folder)
    timeless = {term: value for term, value in shown.items() if term != "Time"}
    write_table(folder, found, timeless)
    path = folder / REPORT
    atomic_write(path, page(found, shown).encode())
    return path


def provenance(folder: Path | str) -> dict[str, str]:
    """Where a folder's numbers come from, as terms and values for people."""
    manifest, records = read_manifest(folder), list(read_records(folder).values())
    terms = {
        "Tasks": ", ".join(manifest.get("tasks", ())),
        "Effort": manifest["effort"],
        "Commit": _all(_commit(record) for record in records),
        "Versions": _all(_versions(record) for record in records),
        "Machine": _all(_machine(record.machine) for record in records),
        "Seeds": _seeds(records),
        "Cells": f"{len(records)}",
        "Time": f"{duration(sum(record.seconds for record in records))} of computing",
    }
    return {term: value for term, value in terms.items() if value}


def _all(values: Iterable[str]) -> str:
    """Each different value once; a run may be continued on another version or machine."""
    return "; ".join(dict.fromkeys(value for value in values if value))


def _commit(record: Record) -> str:
    if record.commit is None:
        return ""
    return record.commit[:12] + (" with uncommitted changes" if record.dirty else "")


def _versions(record: Record) -> str:
    # Python first, then packages by name: records keep their keys sorted, not in order of weight.
    ordered = sorted(record.versions.items(), key=lambda item: (item[0] != "python", item[0]))
    return ", ".join(f"{name} {version}" for name, version in ordered if version)


def _machine(machine: dict[str, Any]) -> str:
    parts = [machine.get("processor"), machine.get("platform")]
    with contextlib.suppress(KeyError):
        parts.insert(1, f"{machine['cores']} cores")
    return ", ".join(str(part) for part in parts if part)


def _seeds(records: Iterable[Record]) -> str:
    """The span of the seeds in the cells' settings."""
    seeds = sorted({s["seed"] for r in records if isinstance((s := r.settings).get("seed"), int)})
    if not seeds:
        return ""
    return f"{seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} from {seeds[0]} to {seeds[-1]}"
