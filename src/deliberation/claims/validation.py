"""Whether verdicts can be trusted: every claim put to worlds in which the truth is planted.

Each claim names worlds of its own (`PLANTED`): nulls, in which the claim is false (a search that
ignores its budget, a network that does not learn, parts that do nothing), and effects of twice the
smallest that matters. A null may be supported in no more than 5 % of repeats, an effect must be in
at least 80 %. A claim of several rows supports an effect where all of them do; a null is supported
where the row is that is false in it, of several the one that is supported most often.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..runs import Cell, Row
from ..stats import Estimate
from . import claim, list_claims, plan, why_not, worlds
from .measuring.effort import effort_of
from .measuring.planted import World, world_at
from .measuring.results import Results
from .measuring.rows import claimed_of, estimate_of

REPEATS, MOST, LEAST = 200, 0.05, 0.80


class Validated(msgspec.Struct, frozen=True):
    """How often each verdict came, over repeats of one planted world."""

    claim: str
    planted: str
    """ "null" or "effect"."""
    world: str
    supported: int
    refuted: int
    inconclusive: int
    repeats: int

    @property
    def trusted(self) -> bool:
        """Whether the verdicts are as they should be."""
        share = self.supported / self.repeats
        return share <= MOST if self.planted == "null" else share >= LEAST


def validate(
    only: Sequence[str] | None = None,
    *,
    repeats: int = REPEATS,
    effort: str = "quick",
    positions: int | None = None,
    watch: Callable[[Validated], None] | None = None,
) -> list[Validated]:
    """The matrix of planted worlds by verdicts, claim by claim; `watch` is shown each at once.

    Exams hold as many `positions` as the effort asks for; a task may have fewer, and then fewer
    effects are found.
    A claim that no task of the effort can show is left out.
    """
    found, e = [], effort_of(effort)
    for name in list_claims() if only is None else only:
        if all(why_not(claim(name), task, e) for task in e.tasks):
            continue
        planted: Mapping[str, Mapping[str, Any]] = getattr(claim(name), "PLANTED", {})
        for kind in ("null", "effect"):
            for title, world in planted.get(kind, {}).items():
                sized = world if positions is None else {"n": positions, **world}
                one = _validated(name, kind, title, sized, repeats, effort)
                found.append(one)
                if watch is not None:
                    watch(one)
    return found


def _validated(
    name: str, kind: str, title: str, world: Mapping[str, Any], repeats: int, effort: str
) -> Validated:
    module, e = claim(name), effort_of(effort)
    task = _task(module, e)
    cells = plan([task], effort, only=[name])
    given = [
        _verdicts(module, task, e, Results(world_at(e, luck, **world).records(cells)))
        for luck in range(repeats)
    ]
    if kind == "null":
        false = _false_rows(module, task, e, world, cells) or sorted({r for x in given for r in x})
        each = [_counts(given, [row]) for row in false] or [_counts(given, [])]
        counts = max(each, key=lambda found: found["supported"])
    else:
        counts = _counts(given, None)
    return Validated(name, kind, title, **counts, repeats=repeats)


def _false_rows(
    module: Any, task: str, e: Any, world: Mapping[str, Any], cells: Sequence[Cell]
) -> list[str]:
    """The rows that claim what is not so in a world, as its exact numbers tell.

    None, if it claims nothing where the numbers are exact: then no row may be supported.
    """
    exact = World(**{**world, "n": e.positions})
    rows = _claimed(module, task, e, Results(exact.records(cells)))
    false = [name for name, row in rows.items() if not _holds(row)]
    assert false or not rows, f"all that {module.CLAIM['name']} claims is so in {dict(world)}"
    return false


def _holds(row: Row) -> bool:
    """Whether the estimate itself lies beyond the smallest effect."""
    exact = estimate_of(row)
    point = Estimate(exact.estimate, exact.estimate, exact.estimate, exact.n)
    return claimed_of(row).judge(point) == "supported"


def _counts(given: Sequence[Mapping[str, str]], rows: Sequence[str] | None) -> dict[str, int]:
    """How often some rows (None: all) came out as they did, taken together."""
    counts: dict[str, int] = dict.fromkeys(("supported", "refuted", "inconclusive"), 0)
    for verdicts in given:
        asked = verdicts.keys() if rows is None else rows
        found = {verdicts.get(row, "inconclusive") for row in asked}
        if found == {"supported"}:
            counts["supported"] += 1
        else:
            counts["refuted" if "refuted" in found else "inconclusive"] += 1
    return counts


def _task(module: Any, e: Any) -> str:
    """The first of the effort's tasks on which anything is claimed where the effect is planted."""
    asked = [task for task in e.tasks if not why_not(module, task, e)]
    name, (world, *_) = module.CLAIM["name"], module.PLANTED["effect"].values()
    for task in asked:
        cells = plan([task], e.name, only=[name])
        if _claimed(module, task, e, Results(World(n=e.positions, **world).records(cells))):
            return task
    return asked[0]


def _verdicts(module: Any, task: str, e: Any, results: Results) -> dict[str, str]:
    """Of every row that claims something, by its own interval."""
    rows = _claimed(module, task, e, results).items()
    return {name: claimed_of(row).judge(estimate_of(row)) for name, row in rows}


def _claimed(module: Any, task: str, e: Any, results: Results) -> dict[str, Row]:
    """The rows that claim something, by what they are of."""
    shown = [module.analyse(world, e, results) for world in worlds(module, [task], e)]
    rows = [row for each in shown for row in each.rows if row.kind == "claim"]
    return {f"{row.task}: {row.decider}: {row.quantity}": row for row in rows}
