"""The claims of the sources, one file each: what is said, how it is measured, what would refute it.

A module in `rows` (of the comparison table), `commentary` (the text beneath it), `learned` (two
kinds of learned optimisation) or `language` (models of language; both are stories of their own,
measured where they are asked for) declares a literal `CLAIM`, so
that it can be listed without being imported, and three functions:
`applies(about, effort)`, why a task cannot show it ("" where it can), `cells(task, effort)`, what
has to be measured, and `analyse(task, effort, results)`, what that shows. A claim about worlds of
its own names them in `WORLDS`: `cells` and `analyse` are asked of these, once a table, if `applies`
gives no reason against one of its tasks, and of any table if it has no `applies`; one with `ONCE`
is asked of the first task that can show it. `measuring` has what claims share, `experiments` the
trainings that those of the stories are of.
"""

import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..core.catalogue import catalogue, module_of
from ..core.errors import UnknownNameError, UnsuitableTaskError
from .aspects import (
    ASPECTS,
    CHAPTERS,
    COMMENTARY,
    LANGUAGE,
    LEARNED,
    ORDER,
    STORIES,
    Aspect,
    Chapter,
    Story,
)
from .sources import Source, sources_of

if TYPE_CHECKING:
    from ..core.task import Task
    from ..runs import Cell, Finding, Progress, Record
    from .measuring.effort import Effort
    from .measuring.prices import Prices
    from .measuring.results import Results, Shown

__all__ = [
    "ASPECTS",
    "CHAPTERS",
    "COMMENTARY",
    "LANGUAGE",
    "LEARNED",
    "ORDER",
    "STORIES",
    "Aspect",
    "Chapter",
    "Source",
    "Story",
    "analyse",
    "asked_at",
    "asked_run",
    "claim",
    "claims_of_rows",
    "list_claims",
    "measure",
    "plan",
    "sources_of",
    "why_not",
]
EFFORTS = ("smoke", "quick", "full")
NOT_APPLICABLE, NOT_MEASURED = "not applicable", "not measured"


@functools.cache
def list_claims() -> dict[str, dict[str, Any]]:
    """Every claim by name, in the order of the table's rows, without importing any."""
    found = catalogue(Path(__file__).parent, "CLAIM")
    chapters = {name: place for place, name in enumerate(CHAPTERS)}
    order = sorted(
        found.items(),
        key=lambda entry: (
            ORDER[entry[1]["aspect"]], chapters.get(entry[1].get("chapter", ""), 0),
            entry[1]["name"],
        ),
    )  # fmt: skip
    return {claim["name"]: {**claim, "module": f"{__name__}.{file}"} for file, claim in order}


def claim(name: str) -> ModuleType:
    """One claim's module. Raises `UnknownNameError` with the nearest name."""
    return module_of("claim", name, list_claims())


def default_tasks(effort: str) -> tuple[str, ...]:
    """The tasks that a table measures at an effort unless others are named."""
    from .measuring.effort import effort_of

    return effort_of(effort).tasks


def plan(
    tasks: "Sequence[str | Task]", effort: str, *, only: Sequence[str] | None = None
) -> "list[Cell]":
    """All cells that the claims need on some tasks; cells that claims share appear once.

    Tasks are named as in `tasks.make_task`, or given as objects that a name makes again: cells run
    in other processes. A claim needs nothing of a task that cannot show it. `only` restricts to
    some claims. Raises `UnknownNameError` for a task or claim that is not, and `TaskImportError`
    for an object that has no such name.
    """
    from ..tasks import portable_name
    from .measuring.cells import closure
    from .measuring.effort import effort_of

    level = effort_of(effort)
    names = [portable_name(task) for task in tasks]
    wanted = [
        cell
        for module in _modules(asked_at(effort) if only is None else only)
        for world in worlds(module, names, level)
        for cell in _cells(module, world, level)
    ]
    return closure(wanted)


def _cells(module: ModuleType, world: str, level: "Effort") -> "list[Cell]":
    """What a claim has measured; nothing where it cannot say, which its rows then tell."""
    try:
        return list(module.cells(world, level))
    except Exception as error:
        warnings.warn(
            f"The claim {module.CLAIM['name']} is not measured on {world}: its cells cannot be "
            f"told ({type(error).__name__}: {error}).",
            stacklevel=3,
        )
        return []


def worlds(module: ModuleType, tasks: Sequence[str], level: "Effort") -> list[str]:
    """Those of some tasks that can show a claim; if it has worlds of its own, these instead.

    Only the first, if the claim is asked once a table (`ONCE`).
    """
    if not hasattr(module, "applies"):
        return list(module.WORLDS)
    able = [name for name in tasks if not why_not(module, name, level)]
    own: Sequence[str] | None = getattr(module, "WORLDS", None)
    if getattr(module, "ONCE", False):
        able = able[:1]
    return list(own) if own is not None and able else able


def why_not(module: ModuleType, task: str, level: "Effort") -> str:
    """Why a claim is not asked of a task; nothing where it is, as for one without `applies`."""
    if not hasattr(module, "applies"):
        return ""
    from .measuring.about import about

    return module.applies(about(task), level)


def asked_run(
    tasks: "Sequence[str | Task]",
    effort: str,
    *,
    only: Sequence[str] = (),
    rows: Sequence[str] = (),
    prices: "Prices | None" = None,
) -> dict[str, Any]:
    """What a run measures, as its manifest tells it: tasks, effort, claims, prices.

    The same wish gives the same run, however it is spelt. Without tasks it is of the effort's own.
    Raises `UnknownNameError` for a claim, row or effort that is not, `UnsuitableTaskError` for
    claims with worlds of their own that are asked of a task, what `refuse_unmeasurable` raises,
    and what `make_task` does.
    """
    from ..tasks.asked import checked_tasks, told_tasks

    known = list_claims()
    for name in only:
        if name not in known:
            raise UnknownNameError("claim", name, known)
    wanted = (*only, *claims_of_rows(rows))
    asked = checked_tasks(tasks)
    chosen = [name for name in known if name in (wanted or asked_at(effort))]
    own = all(known[name]["aspect"] in STORIES for name in chosen)
    if own and asked:
        raise UnsuitableTaskError(
            f"{', '.join(chosen)}: claims with worlds of their own are asked of no other task; "
            "leave the tasks out."
        )
    measured = asked or (() if own else default_tasks(effort))
    run = {"tasks": [], **told_tasks(measured), "effort": effort, "claims": chosen}
    if prices is not None:
        run["prices"] = prices.told()
    refuse_unmeasurable(run["tasks"])
    return run


def measure(
    tasks: "str | Task | Sequence[str | Task]" = (),
    effort: str = "quick",
    *,
    only: Sequence[str] = (),
    rows: Sequence[str] = (),
    out: Path | str = "out",
    jobs: int | None = None,
    progress: "Progress | None" = None,
) -> Path:
    """Measure the claims on some tasks, as `deliberate table` does; returns the folder.

    `report.Table.read(folder)` is then the table. Killed, the same call goes on at the first
    missing cell; a cell that fails takes down only what needs it, and the table says so. `rows`
    are of `ASPECTS`, or "commentary", "learned" or "language"; `only` names single claims.
    Raises what `asked_run` and `runs.execute` raise.
    """
    from ..runs import execute

    several = [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else tasks
    run = asked_run(several, effort, only=only, rows=rows)
    cells = plan(run["tasks"], effort, only=run["claims"])
    execute(cells, out, manifest=run, jobs=jobs, progress=progress, keep_going=True)
    return Path(out)


def refuse_unmeasurable(tasks: "Sequence[str | Task]") -> None:
    """Raise for a task on which nothing can be measured, before any work.

    `TooLargeError` for a game that cannot be solved, `UnsuitableTaskError` for one of several
    players that has chance or hidden state, or more than two players.
    """
    from ..tasks import portable_name
    from .measuring.about import refuse_unmeasurable as refuse

    refuse([portable_name(task) for task in tasks])


def analyse(
    records: "Mapping[str, Record]",
    tasks: "Sequence[str | Task]",
    effort: str,
    *,
    only: Sequence[str] | None = None,
    folder: Path | str | None = None,
    prices: "Prices | None" = None,
) -> "list[Finding]":
    """What the records show of each claim, the same however the records came about.

    `folder` is the run's, from which arrays are read that records only describe; `prices` are what
    computing is paid for where amounts of money are told.

    A claim that a task cannot show says so; one whose cells are not among the records, or that
    cannot be computed from them, says that, and the others go on. All verdicts share one error
    rate (Holm 1979).
    """
    from ..tasks import portable_name
    from .measuring.effort import effort_of
    from .measuring.results import Results, gather
    from .measuring.verdicts import judge_all

    level = effort_of(effort)
    results = Results(records, folder, prices)
    names = [portable_name(task) for task in tasks]
    return judge_all(
        [
            gather(module.CLAIM, _all_shown(module, names, level, results))
            for module in _modules(asked_at(effort) if only is None else only)
        ]
    )


def _all_shown(
    module: ModuleType, tasks: Sequence[str], level: "Effort", results: "Results"
) -> "list[Shown]":
    """What a claim shows of each task, or of its own worlds; a reason where it is not asked."""
    from .measuring.results import Shown
    from .measuring.rows import absent

    asked = worlds(module, tasks, level)
    if asked and hasattr(module, "WORLDS"):
        return [_shown(module, world, level, results) for world in asked]

    def one(task: str) -> "Shown":
        if task in asked:
            return _shown(module, task, level, results)
        reason = why_not(module, task, level) or f"asked once a table, of {asked[0]}"
        return Shown([absent(module.CLAIM, task, NOT_APPLICABLE, reason)], [])

    return [one(task) for task in tasks]


def _shown(module: ModuleType, world: str, level: "Effort", results: "Results") -> "Shown":
    from .measuring.results import Missing, Shown
    from .measuring.rows import absent

    try:
        return module.analyse(world, level, results)
    except Missing as missing:
        return Shown([absent(module.CLAIM, world, NOT_MEASURED, str(missing))], [])
    except Exception as error:  # one claim that fails does not take the others down
        why = f"{type(error).__name__}: {error}"
        return Shown(
            [absent(module.CLAIM, world, NOT_MEASURED, f"could not be worked out: {why}")], []
        )


def _modules(names: Sequence[str]) -> list[ModuleType]:
    return [claim(name) for name in names]


def asked_at(effort: str) -> list[str]:
    """The claims that an effort measures where none is named.

    The least leaves out the commentary beneath the table; stories are measured by themselves.
    """
    from .measuring.effort import effort_of

    left = {*STORIES} if effort_of(effort).commentary else {*STORIES, COMMENTARY}
    return [name for name, one in list_claims().items() if one["aspect"] not in left]


def claims_of_rows(rows: Sequence[str]) -> list[str]:
    """The claims of some rows, by name: of `ASPECTS`, "commentary", "learned" or "language".

    Raises `UnknownNameError` with the nearest name.
    """
    for row in rows:
        if row not in ORDER:
            raise UnknownNameError("row", row, ORDER)
    return [name for name, one in list_claims().items() if one["aspect"] in rows]
