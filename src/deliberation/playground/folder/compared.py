"""Two runs of one kind side by side: what changed, with estimates and intervals."""

from collections.abc import Mapping
from typing import Any

from ...core.errors import OutputFolderError
from ...report.numbers import estimate
from ...stats import Estimate, weighted_sum
from .shelf import Shelf, Shelved
from .tables import answered, claims_of, places, rows

ONLY, VERDICT, MOVED, SAME = "only one", "verdict", "moved", "same"
Line = dict[str, Any]
Name = tuple[str, ...]


def compared(shelf: Shelf, one: Shelved, other: Shelved) -> dict[str, Any]:
    """Line by line, what one run found and what the other did, by groups (claims, probes, kinds).

    A line's `change` is that its verdict is another one, that its two intervals for the difference
    leave out nothing ("moved"), that only one run has it, or none ("same"). Runs are independent,
    so the interval of a difference is that of Zou and Donner (2008). Raises `OutputFolderError`.
    """
    if one.kind != other.kind or one.kind not in _LINES:
        raise OutputFolderError(
            f"{one.name} is a run of another kind ({one.kind}) than {other.name} ({other.kind}): "
            "compare two tables, two audits or two zoos."
        )
    ours, theirs = _LINES[one.kind](shelf, one), _LINES[one.kind](shelf, other)
    lines = [
        _pair(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])
    ]
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.pop("group"), []).append(line)
    counts = {kind: sum(line["change"] == kind for line in lines) for kind in _ORDER}
    return {
        "kind": one.kind, "one": one.name, "other": other.name, "counts": counts,
        "groups": [
            {"title": title, "lines": sorted(some, key=lambda x: _ORDER.index(x["change"]))}
            for title, some in groups.items()
        ],
    }  # fmt: skip


_ORDER = (VERDICT, MOVED, ONLY, SAME)


def _pair(name: Name, one: Line | None, other: Line | None) -> Line:
    shown = one or other or {}
    told: Line = {
        "group": shown["group"], "what": shown["what"], "timing": shown.get("timing", False),
        "one": _side(one), "other": _side(other), "difference": None,
    }  # fmt: skip
    if one is None or other is None:
        return told | {"change": ONLY}
    apart = _apart(one, other)
    if apart is not None:
        told["difference"] = {
            "estimate": apart.estimate, "low": apart.low, "high": apart.high,
            "text": estimate(apart.estimate, apart.low, apart.high),
        }  # fmt: skip
    if one["verdict"] != other["verdict"]:
        return told | {"change": VERDICT}
    away = apart is not None and (apart.low > 0 or apart.high < 0)
    return told | {"change": MOVED if away else SAME}


def _side(line: Line | None) -> Line | None:
    if line is None:
        return None
    return {key: line[key] for key in ("estimate", "low", "high", "text", "verdict", "n")}


def _apart(one: Line, other: Line) -> Estimate | None:
    """The second less the first, where both have intervals."""
    both = [Estimate(x["estimate"], x["low"], x["high"], int(x["n"])) for x in (other, one)]
    known = all(e.estimate == e.estimate and e.low == e.low and e.high == e.high for e in both)
    finite = all(abs(e.estimate) < float("inf") for e in both)
    return weighted_sum(both, [1.0, -1.0]) if known and finite else None


def _table(shelf: Shelf, run: Shelved) -> Mapping[Name, Line]:
    found = {}
    for claim in claims_of(rows(shelf, run)):
        for row in claim["rows"]:
            name = (claim["name"], row["task"], row["decider"], row["quantity"], row["note"])
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
