"""The sources' table of eleven rows, composed from findings: what is said, and what was measured.

Rows that claim something are counted on their side; what is true by construction (a "check") and
what is only reported ("told") is shown beside them and never counted. Where nothing was measured,
the reason stands in its place.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import claims
from ..runs.findings import Finding, Row
from .numbers import Number, bound_of, number, of_row
from .verdicts import overall, tally

SIDES = ("direct", "amortised")
BRIEF = 150
"""So many characters of a reason stand in a cell."""
LITTLE = ("of", "the", "a", "an", "in")


class Measured(NamedTuple):
    """One quantity of one decider, over the tasks on which it was measured."""

    claim: str
    decider: str
    quantity: str
    kind: str
    rows: tuple[Row, ...]

    @property
    def tasks(self) -> list[str]:
        """The tasks, each once."""
        return list(dict.fromkeys(row.task for row in self.rows))

    def value(self, of: int = 1) -> str:
        """`parts` as one text."""
        return " ".join(part for part in self.parts(of) if part)

    def parts(self, of: int = 1) -> tuple[str, str]:
        """The numbers, and their unit and tasks: ("0.22 to 6.3", "times on 2 tasks").

        One estimate comes with its interval; over several tasks it is from the least to the
        greatest. `of` so many tasks, so that a quantity measured on one alone says on which.
        """
        first = self.rows[0]
        if len(self.rows) == 1:
            span = of_row(first)
            where = f"on {first.task}" if of > 1 else ""
        else:
            known = sorted(
                (row for row in self.rows if row.estimate == row.estimate),
                key=lambda row: row.estimate,
            )
            shown = [bound_of(row) + _short(row.estimate) for row in known[:1] + known[-1:]]
            ends = list(dict.fromkeys(shown))
            span = " to ".join(ends) if ends else number(None)
            where = f"on {_tasks(self.tasks, most=1)}"
        return span, " ".join(part for part in (_unit(self), where) if part)


class Side(NamedTuple):
    """One side of a row: what the sources say of it, and what was measured.

    `absent` has, for each reason, the verdict ("not applicable", "not measured") and the tasks.
    """

    said: str
    claimed: tuple[Measured, ...]
    checked: tuple[Measured, ...]
    told: tuple[Measured, ...]
    absent: tuple[tuple[str, str, tuple[str, ...]], ...]
    counts: Mapping[str, int]
    verdict: str | None
    unasked: str

    @property
    def checks(self) -> str:
        """Whether the instrument checks hold; empty where there are none."""
        verdicts = [row.verdict for part in self.checked for row in part.rows]
        if not verdicts:
            return ""
        return "fails" if "fails" in verdicts else "holds" if set(verdicts) == {"holds"} else "open"


class Line(NamedTuple):
    """A row of the table, with the findings that it is made of."""

    name: str
    title: str
    direct: Side
    amortised: Side
    findings: tuple[Finding, ...]


class Remark(NamedTuple):
    """A claim of the text beneath the table."""

    finding: Finding
    side: Side


class Family(NamedTuple):
    """The verdicts of all claims, under one error rate, and by each row's own interval."""

    verdicts: Mapping[str, int]
    alone: Mapping[str, int]
    count: int


class Comparison(NamedTuple):
    """All that stands in the table and beneath it."""

    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]
    family: Family
    tasks: tuple[str, ...]


def compare(
    findings: Sequence[Finding], known: Mapping[str, Mapping[str, Any]] | None = None
) -> Comparison:
    """The eleven rows in the order of the sources, then the claims of the commentary.

    `known` are the claims that this version could have measured, by name (`claims.list_claims`).
    """
    known = claims.list_claims() if known is None else known
    lines = []
    for name, aspect in claims.ASPECTS.items():
        some = tuple(finding for finding in findings if finding.aspect == name)
        direct, amortised = (
            _side(said, _rows(some, side), _unasked(name, side, some, known))
            for side, said in zip(SIDES, (aspect.direct, aspect.amortised), strict=True)
        )
        lines.append(Line(name, aspect.title, direct, amortised, some))
    beneath = [finding for finding in findings if finding.aspect not in claims.ASPECTS]
    remarks = tuple(Remark(f, _side(f.statement, f.rows, "nothing was measured")) for f in beneath)
    rows = [row for finding in findings for row in finding.rows]
    tasks = tuple(dict.fromkeys(row.task for row in rows))
    return Comparison(tuple(lines), remarks, _family(rows), tasks)


def family_sentence(family: Family) -> str:
    """How many verdicts of how many, and how many there would be row by row."""
    if not family.count:
        return "No row carries a verdict."
    given, alone = _words(family.verdicts), _words(family.alone)
    return (
        f"{given[0]} of {family.count} verdicts are given ({given[1]}) under one error rate of 5 % "
        "for all of them together (Holm): the chance that any one is wrong is at most 5 %, as far "
        f"as the intervals hold. By their own intervals alone, {alone[0]} would have been called "
        f"({alone[1]})."
    )


def _words(counts: Mapping[str, int]) -> tuple[int, str]:
    yes, no = counts.get("supported", 0), counts.get("refuted", 0)
    return yes + no, f"{yes} supported, {no} refuted"


def measured(rows: Iterable[Row]) -> tuple[Measured, ...]:
    """Rows grouped by claim, decider and quantity, in the order in which they first come."""
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        key = (row.claim, base(row.decider), row.quantity, row.kind)
        groups.setdefault(key, []).append(row)
    return tuple(Measured(*key, tuple(some)) for key, some in groups.items())


def base(decider: str) -> str:
    """A decider's name without its budget or data in brackets, which differ between tasks."""
    return decider.rpartition(" (")[0] if decider.endswith(")") else decider


def label(one: Measured, among: Iterable[Measured]) -> str:
    """A quantity, with its decider where another one's stands beside it."""
    clash = any(o.quantity == one.quantity and o.decider != one.decider for o in among)
    return f"{one.decider}: {one.quantity}" if clash else one.quantity


def missing(side: Side) -> str:
    """Why nothing stands where a measurement is expected; empty where there is one."""
    if side.claimed or side.checked or side.told:
        return ""
    if not side.absent:
        return side.unasked
    return "; ".join(
        f"{verdict} on {_tasks(tasks)}: {_brief(reason)}" for reason, verdict, tasks in side.absent
    )


def _brief(reason: str) -> str:
    """A reason that fits a cell; what opens beneath the row has all of it."""
    return textwrap.shorten(reason, BRIEF, placeholder=" …").rstrip(".")


def partly(side: Side) -> str:
    """On which tasks nothing was measured of a side that is measured on others, and why not."""
    there = {t for part in (side.claimed, side.checked, side.told) for m in part for t in m.tasks}
    found: dict[str, dict[str, None]] = {}
    for _, verdict, tasks in side.absent:
        found.setdefault(verdict, {}).update(dict.fromkeys(t for t in tasks if t not in there))
    if not there:
        return ""
    return "; ".join(f"{verdict} on {_tasks(list(t))}" for verdict, t in found.items() if t)


def _tasks(names: Sequence[str], most: int = 2) -> str:
    return ", ".join(names) if len(names) <= most else f"{len(names)} tasks"


def _rows(findings: Iterable[Finding], side: str) -> list[Row]:
    """The rows that speak of a side: its own, and those of both."""
    return [row for finding in findings for row in finding.rows if row.side in (side, "both")]


def _side(said: str, rows: Sequence[Row], unasked: str) -> Side:
    claimed = [row for row in rows if row.kind == "claim"]
    kinds = {kind: measured(row for row in rows if row.kind == kind) for kind in ("check", "told")}
    return Side(
        said=said,
        claimed=measured(claimed),
        checked=kinds["check"],
        told=kinds["told"],
        absent=_absent(row for row in rows if row.kind == "absent"),
        counts=tally(claimed),
        verdict=overall(claimed),
        unasked=unasked,
    )


def _absent(rows: Iterable[Row]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        found.setdefault((row.reason, row.verdict or "not measured"), {})[row.task] = None
    return tuple((*key, tuple(tasks)) for key, tasks in found.items())


def _unasked(
    aspect: str, side: str, found: Sequence[Finding], known: Mapping[str, Mapping[str, Any]]
) -> str:
    """Why a side without any row has none."""
    about = [
        name
        for name, claim in known.items()
        if claim["aspect"] == aspect and claim["side"] in (side, "both")
    ]
    left = [name for name in about if name not in {finding.claim for finding in found}]
    if left:
        return f"not part of this run: ask for it with {' '.join(f'--claim {n}' for n in left)}"
    if found and about:
        return "nothing was measured"
    return "not measured by this version"


def _family(rows: Iterable[Row]) -> Family:
    said = [row for row in rows if row.kind == "claim" and row.verdict is not None]
    alone: dict[str, int] = {}
    for row in said:
        if row.alone is not None:
            alone[row.alone] = alone.get(row.alone, 0) + 1
    return Family(tally(said), alone, len(said))


def _unit(one: Measured) -> str:
    """The unit, unless the quantity's name says it already."""
    unit = one.rows[0].unit
    words = [word for word in unit.split() if word not in LITTLE]
    return unit if words and words[0] not in one.quantity.split() else ""


def _short(value: Number) -> str:
    """One end of a span: two significant digits of what is small, and whole what is whole alone."""
    size = abs(value)
    if not 1e-4 <= size < 100 or value == round(value):
        return number(value)
    places = 0 if size >= 10 else min(4, 1 - math.floor(math.log10(size)))
    while 0 < places <= 4 and round(value, places) == round(value):
        places += 1
    return number(value, places if places <= 4 else 0)
