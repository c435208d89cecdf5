"""Two runs of one kind side by side: what changed, with estimates and intervals."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.errors import DeliberationError, OutputFolderError
from ...report.numbers import estimate
from ...stats import Claimed, Estimate, holm, p_value, weighted_sum
from .shelf import Shelf, Shelved, read_json
from .tables import answered, claims_of, places, rows

ONLY, VERDICT, MOVED, SAME = "only one", "verdict", "moved", "same"
IDENTICAL = "identical"
Line = dict[str, Any]
Name = tuple[str, ...]


def compared(shelf: Shelf, one: Shelved, other: Shelved) -> dict[str, Any]:
    """Line by line, what one run found and what the other did, by groups (claims, probes, kinds).

    A line's `change` is that it is the same measurement ("identical": equal numbers, in runs that
    share measurements), that its verdict is another one, that its difference is none of chance
    ("moved"), that only one run has it, or none of these ("same"). Differences are judged as one
    family, as verdicts are (Holm 1979). The interval of a difference is that of independent
    quantities (Zou and Donner 2008); plans fix their keys, so that runs share chance: then it is
    too wide, on the safe side. `what` says so. Raises `OutputFolderError`.
    """
    if one.kind != other.kind or one.kind not in _LINES:
        raise OutputFolderError(
            f"{one.name} is a run of another kind ({one.kind}) than {other.name} ({other.kind}): "
            "compare two tables, two audits or two zoos."
        )
    ours, theirs = _LINES[one.kind](shelf, one), _LINES[one.kind](shelf, other)
    shared, total = _shared(shelf, one, other)
    lines = [
        _pair(ours.get(name), theirs.get(name), bool(shared))
        for name in dict.fromkeys([*ours, *theirs])
    ]
    _judge(lines)
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.pop("group"), []).append(line)
    counts = {kind: sum(line["change"] == kind for line in lines) for kind in _ORDER}
    return {
        "kind": one.kind, "one": one.name, "other": other.name, "counts": counts,
        "what": _what(shared, total),
        "groups": [
            {"title": title, "lines": sorted(some, key=lambda x: _ORDER.index(x["change"]))}
            for title, some in groups.items()
        ],
    }  # fmt: skip


_ORDER = (VERDICT, MOVED, ONLY, SAME, IDENTICAL)


def _what(shared: int, total: int) -> str:
    """What is compared, in sentences."""
    same = (
        f"{shared:,} of {total:,} measurements are the same in both: the same code, settings and "
        "keys, so one measurement and not two. "
        if shared
        else "No measurement is the same in both. "
    )
    return same + (
        "What is left draws on the keys that its plan fixes: trainings and positions may be partly "
        "the same ones, and intervals of differences, worked out as if they were not, are then "
        "wider than need be. All differences are judged as one family (Holm), so that one in "
        "twenty does not move by chance."
    )


def _shared(shelf: Shelf, one: Shelved, other: Shelved) -> tuple[int, int]:
    """How many measurements two runs have in common, and how many there are in either."""
    ours, theirs = _measurements(shelf, one), _measurements(shelf, other)
    return len(ours & theirs), len(ours | theirs)


def _measurements(shelf: Shelf, run: Shelved) -> set[Name]:
    """What a run measured: cells, which name function, settings and keys, by the code that ran."""
    if run.kind != "audit":
        return {(record.cell, record.code) for record in shelf.records(run).values()}
    found = set()
    for answer in answered(shelf, run):
        try:
            stamp = read_json(shelf.file(run, f"{answer['probe']}.json")).get("stamp")
        except DeliberationError:
            continue  # An answer that was not kept apart says not what it depends on.
        found.add((answer["probe"], str(stamp)))
    return found


def _pair(one: Line | None, other: Line | None, shared: bool) -> Line:
    shown = one or other or {}
    told: Line = {
        "group": shown["group"], "what": shown["what"], "timing": shown.get("timing", False),
        "one": _side(one), "other": _side(other), "difference": None, "change": SAME, "p": None,
    }  # fmt: skip
    if one is None or other is None:
        return told | {"change": ONLY}
    if shared and one["n"] and repr(told["one"]) == repr(told["other"]):  # NaN is like NaN, too
        return told | {"change": IDENTICAL}
    apart = _apart(one, other)
    if apart is not None:
        told["p"] = p_value(apart, Claimed(above=0))
        told["difference"] = {
            "estimate": apart.estimate, "low": apart.low, "high": apart.high,
            "text": estimate(apart.estimate, apart.low, apart.high),
        }  # fmt: skip
    return told | {"change": VERDICT if one["verdict"] != other["verdict"] else SAME}


def _judge(lines: Sequence[Line]) -> None:
    """Say of which lines the difference is none of chance, under one error rate for all."""
    family = [line for line in lines if line["p"] is not None]
    for line, held in zip(family, holm([line["p"] for line in family]), strict=True):
        if held and line["change"] == SAME:
            line["change"] = MOVED
    for line in lines:
        del line["p"]


def _side(line: Line | None) -> Line | None:
    if line is None:
        return None
    return {key: line[key] for key in ("estimate", "low", "high", "text", "verdict", "n")}


def _apart(one: Line, other: Line) -> Estimate | None:
    """The second less the first, where both have intervals."""
    both = [
        Estimate(x["estimate"], x["low"], x["high"], int(x["n"]), x.get("freedom", float("inf")))
        for x in (other, one)
    ]
    known = all(e.estimate == e.estimate and e.low == e.low and e.high == e.high for e in both)
    finite = all(abs(e.estimate) < float("inf") for e in both)
    return weighted_sum(both, [1.0, -1.0]) if known and finite else None


def _table(shelf: Shelf, run: Shelved) -> Mapping[Name, Line]:
    """Rows by claim, task, decider and quantity, and which of those; notes hold data."""
    found: dict[Name, Line] = {}
    for claim in claims_of(rows(shelf, run)):
        for row in claim["rows"]:
            alike = (claim["name"], row["task"], row["decider"], row["quantity"])
            place = next(i for i in itertools.count() if (*alike, str(i)) not in found)
            name = (*alike, str(place))
            what = f"{row['quantity']} of {row['decider']} on {row['task']}"
            if row["kind"] == "absent":
                what = f"{row['task']}: {row['reason']}"
            found[name] = {**row, "group": claim["title"], "what": what}
    return found


def _audit(shelf: Shelf, run: Shelved) -> Mapping[Name, Line]:
    return {
        (one["probe"],): {
            **one, "group": one["question"], "what": one["statistic"], "verdict": one["named"],
        }
        for one in answered(shelf, run)
    }  # fmt: skip


def _zoo(shelf: Shelf, run: Shelved) -> Mapping[Name, Line]:
    return {
        (one["title"], one["task"]): {
            **one, "group": one["kind"], "verdict": None,
            "what": f"score of {one['title']} on {one['task']}",
        }
        for one in places(shelf, run)
    }  # fmt: skip


_LINES = {"table": _table, "audit": _audit, "zoo": _zoo}
