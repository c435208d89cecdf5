"""`advise`: measure what fits a task within a stated time, and say what to use."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..core.errors import OutputFolderError, UnknownNameError
from ..runs import Cell, Progress, Record, execute, read_manifest, read_records
from ..runs.errors import CellError
from ..runs.provenance import cores
from ..runs.storage import atomic_write
from ..runs.stores import artefact_folder
from ..stats import bounded
from .choosing import Choice, Judged, choose
from .limits import Limits, quantity

if TYPE_CHECKING:
    from ..core.task import Task
    from .results import Advice, Recipe

_HERE = "deliberation.advice"
Quantity = float | int | str
"""A plain number, or text with a unit."""
PROBE_SECONDS = 4.0
SECONDS = {"smoke": 40.0, "quick": 240.0, "full": 1200.0}
"""Time of measuring, unless another is asked for; compiling for the first time comes on top."""
EPISODES = {"smoke": 32, "quick": 128, "full": 512}
TRAININGS = {"smoke": 1, "quick": 2, "full": 4}
LARGEST = {"smoke": 256, "quick": 1024, "full": 4096}
LEAST_SECONDS = 2.0
POLICY, LIMITS = "policy", "limits.json"


def advise(
    task: "Task | str",
    *,
    decisions_a_day: Quantity | None = None,
    days: Quantity | None = None,
    latency: Quantity | None = None,
    training_budget: Quantity | None = None,
    price: Quantity | None = None,
    training_price: Quantity | None = None,
    smallest: Quantity | None = None,
    effort: str = "quick",
    time: Quantity | None = None,
    out: Path | str = "advice",
    jobs: int | None = None,
    progress: Progress | None = None,
) -> "Advice":
    """What to use on a task: a planner, a learner, both, or neither; with how sure that is.

    `task` is a name of `make_task` or a task that a name makes again. Limits are numbers (seconds,
    days, dollars) or text with units, see `Limits`. `time` is how long to measure, by default 40 s,
    4 min or 20 min by `effort`. Records, and the recommended policy if it was learned, are kept in
    the folder `out`; killed, the same call goes on there, and with other limits that change no
    measurement it measures nothing again.

    Raises `UnitError`, `UnknownNameError`, `TaskImportError`, `OutputFolderError`, and `CellError`
    where not even random play can be measured.
    """
    limits = Limits.of(
        decisions_a_day=decisions_a_day, days=days, latency=latency,
        training_budget=training_budget, price=price, training_price=training_price,
        smallest=smallest,
    )  # fmt: skip
    plan = planned(task, limits, effort, time, jobs)
    measurements(plan, out, jobs=jobs, progress=progress)
    return read_advice(out, limits)


def planned(
    task: "Task | str",
    limits: Limits,
    effort: str = "quick",
    time: Quantity | None = None,
    jobs: int | None = None,
) -> dict[str, Any]:
    """What a run measures, as its manifest tells: task, effort, time, and the limits that bear on
    what is measured. Raises `UnknownNameError` and `UnitError`.
    """
    from ..tasks import portable_name
    from ..tasks.names import source_digest

    if effort not in SECONDS:
        raise UnknownNameError("effort", effort, SECONDS)
    name = portable_name(task)
    digest = source_digest(name)
    return {
        "advice": name, "effort": effort, "tasks": [name],
        "time": SECONDS[effort] if time is None else quantity(time, "time", "time"),
        "workers": jobs or cores(), "latency": limits.latency,
        "training_budget": limits.training_budget,
        **({} if digest is None else {"sources": {name: digest}}),
    }  # fmt: skip


def cells_of(plan: dict[str, Any]) -> list[tuple[str, Cell]]:
    """The cells of a run, each with its family's title; the probe first, under no title."""
    from ..tasks import make_task
    from .candidates import candidates

    task, effort = plan["advice"], plan["effort"]
    probe = Cell(f"{_HERE}.probing:probe", {"task": task}, (), PROBE_SECONDS, f"look at {task}")
    families, _ = candidates(make_task(task))
    trainings = {f.name: TRAININGS[effort] if f.trained else 1 for f in families}
    weights = sum(f.weight * trainings[f.name] for f in families)
    unit = plan["time"] * plan["workers"] / weights
    found = [("", probe)]
    for family in families:
        for training in range(trainings[family.name]):
            seconds = round(max(family.weight * unit, LEAST_SECONDS), 3)
            settings = {
                "task": task, "family": family.name, "made": family.made, "training": training,
                "probe": probe.id, "seconds": seconds, "episodes": EPISODES[effort],
                "latency": plan["latency"], "largest": LARGEST[effort],
                "most": plan["training_budget"] or 1e12,
            }  # fmt: skip
            label = f"{family.title}, training {training + 1}" if family.trained else family.title
            work = f"{_HERE}.measuring:measure"
            found.append((family.title, Cell(work, settings, (probe.id,), seconds, label)))
    return found


def measurements(
    plan: dict[str, Any],
    out: Path | str,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Measure what a folder does not hold yet; families that fail are left out and told."""
    cells = [cell for _, cell in cells_of(plan)]
    execute(
        cells, out, manifest=plan, jobs=jobs or plan["workers"], progress=progress, keep_going=True
    )


def read_advice(folder: Path | str, limits: Limits | None = None) -> "Advice":
    """The advice from a folder's records alone, under its own limits or others.

    Raises `OutputFolderError` where there is no such run, and `CellError` where random play was not
    measured.
    """
    from ..tasks import make_task
    from .candidates import candidates
    from .results import Advice, gathered

    folder = Path(folder)
    plan, records = read_manifest(folder), read_records(folder)
    if "advice" not in plan:
        raise OutputFolderError(f"{folder} holds a run of another kind, and no advice.")
    limits = _kept_limits(folder, plan) if limits is None else limits
    atomic_write(folder / LIMITS, msgspec.json.encode(limits))
    cells = cells_of(plan)
    outcomes = [(t, records[c.id].outcomes) for t, c in cells[1:] if c.id in records]
    options, recipes, left, refused = gathered(outcomes)
    failed = {t: "it failed; the command tells why" for t, c in cells[1:] if c.id not in records}
    if "random" not in recipes:
        raise CellError(
            f"Random play on {plan['advice']} was not measured, so nothing can be advised: see "
            "what the run said of it, and run the same command again."
        )
    task = make_task(plan["advice"])
    choice = _within_reach(choose(options, limits), task)
    _, unfit = candidates(task)
    found = Advice(
        task=plan["advice"], limits=limits, choice=choice, recipes=recipes,
        unfit={**unfit, **refused, **failed}, left=left,
        world=records[cells[0][1].id].outcomes,
        episodes=max(option.scores.shape[1] for option in options),
        seconds=sum(record.seconds for record in records.values()),
        lines="", folder=str(folder),
    )  # fmt: skip
    return msgspec.structs.replace(found, lines=_lines(found, cells, records))


def _within_reach(choice: Choice, task: "Task") -> Choice:
    """The choice with scores that know what a return can be, whichever side is played."""
    low, high = task.objective.bounds
    if task.traits.players == 2:
        low, high = min(low, -high), max(high, -low)

    def known(option: Judged) -> Judged:
        return msgspec.structs.replace(option, score=bounded(option.score, low, high))

    return msgspec.structs.replace(
        choice, options=[known(x) for x in choice.options], score=bounded(choice.score, low, high)
    )


def _kept_limits(folder: Path, plan: dict[str, Any]) -> Limits:
    """Those under which advice was last read here, or what the run's settings tell of them."""
    path = folder / LIMITS
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Limits)
    return Limits(latency=plan["latency"], training_budget=plan["training_budget"])


def _lines(advice: "Advice", cells: Sequence[tuple[str, Cell]], records: dict[str, Record]) -> str:
    from .words import python

    if advice.recommended is None:
        return ""
    recipe = advice.recipes[advice.recommended]
    policy = None
    if recipe.policy is not None:
        policy = _kept_policy(Path(advice.folder), advice.recommended, recipe, cells, records)
    return python(advice.task, recipe, policy)


def _kept_policy(
    folder: Path,
    name: str,
    recipe: "Recipe",
    cells: Sequence[tuple[str, Cell]],
    records: dict[str, Record],
) -> Path:
    """The recommended policy of its first training, copied out of the records into `policy`."""
    record = next(
        records[cell.id] for _, cell in cells[1:] if cell.id in records
        and any(option["name"] == name for option in records[cell.id].outcomes["options"])
    )  # fmt: skip
    assert recipe.policy is not None
    found = artefact_folder(folder, record) / recipe.policy
    partial = folder / f".{POLICY}-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(found, partial)
    shutil.rmtree(folder / POLICY, ignore_errors=True)
    os.replace(partial, folder / POLICY)
    return folder / POLICY
