"""From a run's folder to its table and its page: everything is read from the records again."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import claims
from ..claims.measuring.prices import Prices
from ..core.errors import OutputFolderError
from ..runs import verify
from ..runs.findings import Finding, write_csv, write_table
from ..runs.records import Record, codes, read_manifest, read_records
from ..runs.storage import atomic_write
from .disagreements import disagreements
from .html import page
from .numbers import duration
from .pages.stories import stories_of, story_page

REPORT = "report.html"
NOT_MEASURED = claims.NOT_MEASURED


def findings(
    folder: Path | str, *, partial: bool = False, prices: Prices | None = None
) -> list[Finding]:
    """What the claims make of a folder's records, at the prices of its settings unless told.

    With `partial`, claims whose cells are missing say that they were not measured. Raises
    `OutputFolderError` where there is no run, one of the zoo, or, unless `partial`, cells are
    missing; and `RecordError`.
    """
    manifest, records = _manifest(folder), read_records(folder)
    tasks, effort, only = manifest["tasks"], manifest["effort"], manifest["claims"]
    missing, cells = _missing(manifest, records)
    if missing and not partial:
        raise OutputFolderError(
            f"{folder} holds {cells - missing} of {cells} cells: the run has not ended, "
            f"or this version measures more. Go on with `{_command(manifest, folder)}`, or see "
            f"what is there with `deliberate report {folder} --partial`."
        )
    paid = prices or Prices.read(manifest)
    return claims.analyse(records, tasks, effort, only=only, folder=folder, prices=paid)


def notes(folder: Path | str, found: Sequence[Finding]) -> list[str]:
    """What one has to know before reading a folder's table; mostly nothing.

    That instrument checks fail; that cells are missing, how many rows were not measured for it, and
    how to go on; that the code which measured it was not committed, or was of several versions.
    """
    manifest, records = _manifest(folder), read_records(folder)
    missing, cells = _missing(manifest, records)
    rows = [row for finding in found for row in finding.rows if row.verdict == NOT_MEASURED]
    told = _failing(found)
    if missing:
        told.append(
            f"{missing} of {cells} cells failed or have not run, so {len(rows)} "
            f"row{' was' if len(rows) == 1 else 's were'} not measured. Go on with "
            f"`{_command(manifest, folder)}`."
        )
    elif rows:
        told.append(
            f"{len(rows)} row{' was' if len(rows) == 1 else 's were'} not measured: the reasons "
            "stand in them."
        )
    asked = manifest_of(folder, "claims")["claims"]
    if unknown := ", ".join(name for name in asked if name not in manifest["claims"]):
        told.append(f"Claims of another version, which this one does not have: {unknown}.")
    versions = codes(records) or {r.commit for r in records.values() if r.commit}
    if any(record.dirty for record in records.values()):
        told.append("Measured with uncommitted changes: the commit does not tell all of the code.")
    if len(versions) > 1:
        told.append(f"Measured by {len(versions)} versions of the code, which need not agree.")
    return told


def _failing(found: Sequence[Finding]) -> list[str]:
    """Which instrument checks fail: what stands beside them is not to be trusted."""
    rows = [row for f in found for row in f.rows if row.kind == "check" and row.verdict == "fails"]
    if not rows:
        return []
    named = "; ".join(f"{row.quantity} of {row.decider} on {row.task}" for row in rows[:3])
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    fails = "An instrument check fails" if len(rows) == 1 else f"{len(rows)} instrument checks fail"
    return [f"{fails}: {named}{more}. What stands in the same row is not to be trusted."]


def _missing(manifest: dict[str, Any], records: Mapping[str, Record]) -> tuple[int, int]:
    """How many cells have no record, and of how many."""
    cells = claims.plan(manifest["tasks"], manifest["effort"], only=manifest["claims"])
    return sum(cell.id not in records for cell in cells), len(cells)


def _manifest(folder: Path | str) -> dict[str, Any]:
    """A table's manifest, with those of its claims that this version has, or all if it has none."""
    manifest = manifest_of(folder, "claims")
    some = [name for name in manifest["claims"] if name in claims.list_claims()]
    return {**manifest, "claims": some or manifest["claims"]}


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
    some = [f"--claim {name}" for name in only]
    if only == claims.asked_at(manifest["effort"]):
        some = []
    else:
        whole = [name for name in claims.ORDER if only == claims.claims_of_rows([name])]
        some = [f"--rows {name}" for name in whole] or some
    words = ["deliberate table", *manifest["tasks"], f"--effort {manifest['effort']}", *some]
    if "prices" in manifest:
        paid = Prices.read(manifest)
        words += [f"--price {paid.decision:g}", f"--training-price {paid.training:g}"]
    return " ".join([*words, f"--out {folder}"])


def build(folder: Path | str, found: Sequence[Finding] | None = None) -> Path:
    """Write table.json, table.csv and report.html into a run's folder; returns the page's path.

    `found` saves analysing again where that was done. Raises as `findings` does, and
    `StorageError`.
    """
    folder = Path(folder)
    found = findings(folder) if found is None else found
    shown = provenance(folder)
    # Neither times nor the digests of records that hold them are the same in two runs.
    timeless = {term: value for term, value in shown.items() if term not in ("Time", "Chain")}
    write_table(folder, found, timeless)
    write_csv(folder, found)
    path = folder / REPORT
    if stories_of(found):
        atomic_write(path, story_page(found, shown, notes(folder, found)).encode())
        return path
    tasks = read_manifest(folder)["tasks"]
    examples = disagreements(folder, read_records(folder), tasks)
    atomic_write(path, page(found, shown, notes(folder, found), examples).encode())
    return path


def provenance(folder: Path | str) -> dict[str, str]:
    """Where a folder's numbers come from, as terms and values for people."""
    manifest, records = read_manifest(folder), list(read_records(folder).values())
    terms = {
        "Tasks": ", ".join(manifest.get("tasks", ())),
        "Effort": manifest["effort"],
        "Commit": _all(_commit(record) for record in records),
        "Code": _all(record.code for record in records),
        "Chain": _chain(folder),
        "Versions": _all(_versions(record) for record in records),
        "Machine": _all(_machine(record.machine) for record in records),
        "Seeds": _seeds(records),
        "Cells": f"{len(records)}",
        "Time": f"{duration(sum(record.seconds for record in records))} of computing",
    }
    return {term: value for term, value in terms.items() if value}


def _chain(folder: Path | str) -> str:
    """Where the chain of records ends: whoever keeps this notices records that were taken away."""
    found = verify(folder)
    last = list(read_records(folder).values())[-1:]
    head = "".join(record.digest[:16] for record in last)
    return f"{head}, {found.records} records and {found.files} files verified" if head else ""


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
