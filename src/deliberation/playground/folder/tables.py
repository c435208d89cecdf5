"""What a run has found, as the page shows it: rows with verdicts, answers of probes, or places."""

import json
import os
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from ...core.errors import DeliberationError, OutputFolderError, UnknownNameError
from ...report.numbers import estimate, number, of_row
from ...runs import Finding, Panel, Row, read_failures, read_table
from ...runs.findings import TABLE
from ...runs.plain import restore
from ...runs.records import RECORDS
from ...runs.stores import place_of
from ...stats import Estimate
from ..kept import Kept
from ..worlds import drawn
from .asked import led
from .figures import AWAY
from .shelf import AUDIT, Shelf, Shelved, answers, read_json, stamp

_FINDINGS = Kept(16)
_MOST_FAILURES = 50
MOST_ANSWERS = 200
"""Of an audit that is shown."""
_STATES, _LINES, _LETTERS, _DRAWN = 64, 256, 240, 20_000
"""Shown of an answer: states; of each, lines of its table and letters of their words; letters that
draw it."""


def content(shelf: Shelf, run: Shelved) -> dict[str, Any]:
    """By the kind of run: `rows` of a table, `answers` of an audit, `places` of a zoo.

    Raises `OutputFolderError` and `RecordError` where it cannot be read.
    """
    if run.kind == "audit":
        return {"answers": answered(shelf, run)}
    records = shelf.records(run)
    kept = read_failures(run.path)
    failures = [
        {"cell": cell, "why": (why.strip().splitlines() or [""])[-1]}
        for cell, why in list(kept.items())[:_MOST_FAILURES]
    ]
    if run.kind in ("zoo", "table"):
        said = {"failures": failures, "missing": missing(shelf, run, kept)}
        if run.kind == "zoo":
            return {"places": places(shelf, run), **said}
        return {"claims": claims_of(rows(shelf, run)), **said}
    from .records import brief

    return {"records": [brief(r) for r in list(records.values())[-200:]], "failures": failures}


def missing(shelf: Shelf, run: Shelved, failed: Collection[str]) -> dict[str, Any]:
    """Planned cells neither measured nor failed; `other` counts records of no planned cell.

    Those are of another version of the code.
    """
    from .records import named, settled

    planned, records = shelf.planned(run), shelf.records(run)
    if planned is None:
        return {"of": 0, "other": 0, "cells": []}
    gone = [cell for cell in planned if cell.id not in records and cell.id not in failed]
    return {
        "of": len(gone),
        "other": len(set(records) - {cell.id for cell in planned}),
        "cells": [
            {"what": named(cell.function), "settings": settled(cell.settings)}
            for cell in gone[:_MOST_FAILURES]
        ],
    }


def rows(shelf: Shelf, run: Shelved) -> list[Row]:
    """The rows of a table: those that were written last, or worked out from its records so far."""
    table, records = run.path / TABLE, run.path / RECORDS
    if table.is_file():
        shelf.file(run, TABLE)
        if not records.exists() or table.stat().st_mtime >= records.stat().st_mtime:
            return read_table(run.path)
    return [row for finding in findings(shelf, run) for row in finding.rows]


def findings(shelf: Shelf, run: Shelved) -> list[Finding]:
    """What the records show so far. Raises `OutputFolderError` and `RecordError`."""
    from ...report.folder import findings as found

    shelf.records(run)
    tasks = shelf.manifest(run).get("tasks") or []
    if not all(shelf.known(task) for task in tasks):
        raise OutputFolderError(
            f"This run is of {', '.join(map(str, tasks))}, a task of somebody's own: its table is "
            "shown once it has ended, or when the playground is started with that task named."
        )
    if place_of(run.path):
        raise OutputFolderError(AWAY)
    return _FINDINGS.get((str(run.path), stamp(run)), lambda: found(run.path, partial=True))


def claims_of(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows by claim, in the order of the table, with what each claim says."""
    from ...claims import list_claims

    known, order = list_claims(), dict.fromkeys(row.claim for row in found)
    return [
        {
            "name": name,
            "title": known.get(name, {}).get("title", name),
            "statement": known.get(name, {}).get("statement", ""),
            "rows": [row_json(row) for row in found if row.claim == name],
        }
        for name in order
    ]


def row_json(row: Row) -> dict[str, Any]:
    """A row with its numbers as people read them."""
    told = {
        name: getattr(row, name)
        for name in (
            "task", "decider", "quantity", "estimate", "low", "high", "n", "unit", "kind",
            "verdict", "reason", "timing", "note", "freedom",
        )
    }  # fmt: skip
    return {**told, "text": of_row(row)}


def answered(shelf: Shelf, run: Shelved) -> list[dict[str, Any]]:
    """An audit's answers, so far or all of them, with the states that they cite."""
    from ...audit.profile import Answer, Profile, fits

    try:
        if (run.path / AUDIT).is_file():
            given = msgspec.convert(restore(read_json(shelf.file(run, AUDIT))), Profile).answers
        else:
            files = [read_json(shelf.file(run, path.name)) for path in answers(run.path)]
            given = [msgspec.convert(restore(file)["answer"], Answer) for file in files]
        if len(given) > MOST_ANSWERS:
            raise OutputFolderError(
                f"{run.name} holds {len(given):,} answers: up to {MOST_ANSWERS:,} are shown."
            )
        if odd := next((one.probe for one in given if not fits(one)), None):
            raise ValueError(f"the parts of {odd[:80]} do not fit one another")
        return [_answer(one) for one in given]
    except DeliberationError:
        raise
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise OutputFolderError(
            f"The answers of {run.name} have another form than this version's ({error})."
        ) from error


def answer_record(shelf: Shelf, run: Shelved, probe: str) -> dict[str, Any]:
    """What a probe's points rest on: its answer as it is kept, with the states that it cites."""
    found = {one["probe"]: one for one in answered(shelf, run)}
    if probe not in found:
        raise UnknownNameError("answer of this audit", probe[:80], found)
    one, kept = found[probe], {}
    if os.path.lexists(run.path / f"{probe}.json"):
        kept = read_json(shelf.file(run, f"{probe}.json"))
    cited, leads = led(shelf, run, one["cited"])
    estimates = {"estimate [95 %]": one["text"], "observations": f"{one['n']:,}"}
    controls = {
        f"control: {c['name']}": c["text"] + (f" ({c['remark']})" if c["remark"] else "")
        for c in one["controls"]
    }
    return {
        "cell": probe, "what": one["question"], "settings": {"statistic": one["statistic"]},
        "outcomes": {"verdict": one["named"], "said": one["said"], **estimates, **controls},
        "spent": {}, "needs": [], "columns": [], "budgets": [], "positions": False,
        "provenance": {"stamp": str(kept.get("stamp", "not kept"))}, "cited": cited,
        "leads": leads, "instead": "" if cited else _NO_STATES,
        "raw": _raw(kept.get("answer", one)),
    }  # fmt: skip


_NO_STATES = (
    "No single state stands behind this: the probe was not put, or it works with whole trainings, "
    "with games in worlds of its own, or with times. What it measured is told below."
)


def _answer(one: Any) -> dict[str, Any]:
    e = one.estimate
    return {
        "probe": one.probe, "question": one.question, "found": one.found, "named": one.named,
        "said": one.said, "statistic": one.statistic, "rules_out": one.rules_out,
        "fooled_by": one.fooled_by, "errors": one.errors, "note": one.note,
        "estimate": e.estimate, "low": e.low, "high": e.high, "n": e.n,
        "text": one.measure or _text(e),
        "controls": [
            {
                "name": c.name, "holds": c.holds,
                "text": _text(c.estimate), "remark": c.remark,
            }
            for c in one.controls
        ],
        "panel": None if one.panel is None else panel_json(one.panel),
        "cited": [
            {
                "picture": None if c.picture is None else drawn(c.picture),
                "text": c.drawn[:_DRAWN],
                "chosen": c.chosen, "chosen_name": c.named(c.chosen), "best": [c.best],
                "best_names": c.named(c.best), "lost": c.lost, "legal": [c.chosen, c.best],
                "said": c.said, "state": c.state, "table": _lines(c.table), "unit": c.unit,
            }
            for c in one.cited[:_STATES]
        ],
    }  # fmt: skip


def _lines(rows: list[list[str]]) -> list[list[str]]:
    """The beginning of a table, and how much more there is."""
    more = [["and more", f"{len(rows) - _LINES:,} lines"]] if len(rows) > _LINES else []
    return [*([word[:_LETTERS] for word in row] for row in rows[:_LINES]), *more]


def _raw(answer: Any) -> str:
    try:
        return json.dumps(answer, indent=1, default=str)[:20_000]
    except RecursionError:  # no answer is so deep
        return ""


def _text(found: Estimate) -> str:
    """An estimate as it is read; whoever compares runs has the ends as they were measured."""
    return estimate(found.estimate, found.shown.low, found.shown.high)


def places(shelf: Shelf, run: Shelved) -> list[dict[str, Any]]:
    """Where a zoo's deciders stand, those measured so far, each with its record."""
    from ... import zoo

    records, found = shelf.records(run), []
    for cell in shelf.planned(run) or []:
        if cell.id not in records:
            continue
        try:
            (one,) = zoo.analyse(records, [cell]) or (None,)
        except DeliberationError:
            continue
        if one is None:
            continue
        e = one.score
        found.append(
            {
                "record": cell.id, "title": one.title, "task": one.task, "kind": one.kind,
                "estimate": e.estimate, "low": e.low, "high": e.high, "n": e.n,
                "text": _text(e), "optimum": number(one.optimum),
                "reached": number(one.reached.estimate, 2),
                "search": number(one.search_gain.estimate, 2),
                "learning": number(one.learning_gain.estimate, 2),
                "milliseconds": number(one.milliseconds), "by_definition": one.by_definition,
            }
        )  # fmt: skip
    return found


def panel_json(panel: Panel, world: str = "") -> dict[str, Any]:
    """A panel as data; points that are not known are null."""
    return {**msgspec.to_builtins(panel), "world": world}
