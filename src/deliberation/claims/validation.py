"""Whether verdicts can be trusted: every claim put to worlds in which the truth is planted.

Each claim names worlds of its own (`PLANTED`): nulls, in which the claim is false (a search that
ignores its budget, a network that does not learn, parts that do nothing), and effects of twice the
smallest that matters. A null may be supported in no more than 5 % of repeats, an effect must be in
at least 80 %.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from . import claim, list_claims, plan, worlds
from .measuring.about import About, about
from .measuring.effort import effort_of
from .measuring.planted import world_at
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
    watch: Callable[[Validated], None] | None = None,
) -> list[Validated]:
    """The matrix of planted worlds by verdicts, claim by claim; `watch` is shown each at once.

    A claim that no task of the effort can show is left out.
    """
    found, e = [], effort_of(effort)
    for name in list_claims() if only is None else only:
        if all(claim(name).applies(about(task), e) for task in e.tasks):
            continue
        planted: Mapping[str, Mapping[str, Any]] = getattr(claim(name), "PLANTED", {})
        for kind in ("null", "effect"):
            for title, world in planted.get(kind, {}).items():
                one = _validated(name, kind, title, world, repeats, effort)
                found.append(one)
                if watch is not None:
                    watch(one)
    return found


def _validated(
    name: str, kind: str, title: str, world: Mapping[str, Any], repeats: int, effort: str
) -> Validated:
    module, e = claim(name), effort_of(effort)
    task = _task(module.applies, e)
    cells = plan([task], effort, only=[name])
    counts: dict[str, int] = dict.fromkeys(("supported", "refuted", "inconclusive"), 0)
    for luck in range(repeats):
        records = world_at(e, luck, **world).records(cells)
        counts[_verdict(module, task, e, Results(records))] += 1
    return Validated(name, kind, title, **counts, repeats=repeats)


def _task(applies: Callable[[About, Any], str], e: Any) -> str:
    """The first of the effort's tasks that can show the claim."""
    return next(task for task in e.tasks if not applies(about(task), e))


def _verdict(module: Any, task: str, e: Any, results: Results) -> str:
    """Supported where every row that claims something is; refuted where one is."""
    shown = [module.analyse(world, e, results) for world in worlds(module, [task], e)]
    rows = [row for each in shown for row in each.rows if row.kind == "claim"]
    given = {claimed_of(row).judge(estimate_of(row)) for row in rows}
    if given == {"supported"}:
        return "supported"
    return "refuted" if "refuted" in given else "inconclusive"
