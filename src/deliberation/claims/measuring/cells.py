"""The cells that claims are made of; equal settings give equal cells, so claims share them."""

from collections.abc import Iterable, Sequence
from typing import Any

from ...runs import Cell
from .about import about
from .effort import Effort

_HERE = "deliberation.claims.measuring"
SUBJECTS = f"{_HERE}.subjects"
_KNOWN: dict[str, Cell] = {}

UNTIMED = {"timed": False}
"""Of a score whose times no claim asks for."""
MANY = 5000
"""Positions to learn from: all 4,520 of tic-tac-toe, and a sample of those of larger tasks."""


def closure(cells: Iterable[Cell]) -> list[Cell]:
    """The cells and everything that they need, each once."""
    found: dict[str, Cell] = {}
    waiting = list(cells)
    while waiting:
        cell = waiting.pop()
        if cell.id not in found:
            found[cell.id] = cell
            waiting += [_KNOWN[need] for need in cell.needs]
    return list(found.values())


def cell(
    function: str, settings: dict[str, Any], needs: tuple[str, ...], seconds: float, label: str
) -> Cell:
    """A cell, known from now on to those that need it; `function` is "package.module:function"."""
    made = Cell(function, settings, needs, seconds, label)
    return _KNOWN.setdefault(made.id, made)


def positions(task: str, e: Effort, which: str = "contested") -> Cell:
    """Unfinished positions with the exact value of each action: "contested", "any" or "all".

    See `exams.find_positions`.
    """
    rough = {"connect_4_5x4": 25.0, "connect_four": 3.0}.get(task, 4.0)
    settings = {"task": task, "count": _most(e, which), "which": which}
    return cell(f"{_HERE}.exams:find_positions", settings, (), rough, f"positions of {task}")


def _most(e: Effort, which: str) -> int:
    return {"contested": e.positions, "any": 4 * e.positions, "all": MANY}[which]


def scale(task: str, e: Effort) -> Cell:
    """What random play and the best play earn, where whole episodes are played."""
    settings = {"task": task, "count": 16 * e.episodes, "seed": 0}
    return cell(f"{_HERE}.exams:find_scale", settings, (), 8.0, f"random play of {task}")


def random_score(task: str, e: Effort) -> Cell:
    """What choosing uniformly at random scores, in expectation."""
    return score(task, e, f"{SUBJECTS}:random", (0,))


def planner_score(task: str, e: Effort) -> Cell:
    """Search from the rules alone over the budgets."""
    return score(task, e, f"{SUBJECTS}:planner", budgets(task, e))


def budgets(task: str, e: Effort) -> tuple[int, ...]:
    """Simulations at which search from the rules alone is scored."""
    return e.budgets if about(task).exact else e.plays


def score(
    task: str,
    e: Effort,
    subject: str,
    budgets: Sequence[int],
    *,
    options: dict[str, Any] | None = None,
    policy: Cell | None = None,
    rung: int | None = None,
    which: str = "contested",
    played: bool = False,
    key: int = 17,
    timed: bool = True,
) -> Cell:
    """A subject's choices at each budget: on positions, or in episodes where values are not known.

    `subject` is an importable reference (see `subjects`), `policy` the cell that trains it. With
    `played` it is episodes anywhere. Where it is not `timed`, on positions nothing is asked again
    only to be timed more often.
    """
    settings: dict[str, Any] = {
        "task": task,
        "subject": subject,
        "options": options or {},
        "budgets": list(budgets),
        "policy": None if policy is None else policy.id,
        "rung": rung,
        "key": key,
    }
    who = subject.rpartition(":")[2]
    if about(task).exact and not played:
        on = positions(task, e, which)
        function, settings["positions"] = "score", on.id
        settings |= {} if timed else UNTIMED
        rough = 4 + sum(budgets) * _most(e, which) * (2e-5 if policy else 5e-6)
    else:
        on = scale(task, e)
        function, settings["scale"], settings["episodes"] = "play", on.id, e.episodes
        rough = 8 + sum(budgets) * e.episodes * 2e-4
    needs = (on.id,) if policy is None else (on.id, policy.id)
    return cell(f"{_HERE}.scoring:{function}", settings, needs, rough, f"{who} on {task}")


def lessons(task: str, e: Effort) -> tuple[int, ...]:
    """Sizes of the data sets that networks are fitted to.

    Where something is hidden the largest is left out: a search over histories teaches, which takes
    twenty times as long.
    """
    return e.lessons if about(task).fully_observable else e.lessons[:-1]


def lesson(
    task: str,
    e: Effort,
    *,
    teacher: str = "planner",
    played: bool = False,
    count: int | None = None,
) -> Cell:
    """Positions with a teacher's answers: twice as many as the largest fit wants, or `count`.

    So that no two trainings are shown the same, where there are enough. Those that a search answers
    all differ; no more are asked for than can be taught.

    Teachers: "planner" (a search), or "biased" (see `teaching.biased_weights`: known, and not
    optimal). Where values are not known, and with `played`, the positions are those that the search
    itself meets in its episodes.
    """
    count = 2 * max(lessons(task, e)) if count is None else count
    if teacher == "planner" and not played:
        count = int(min(count, about(task).teachable))
    settings = {"task": task, "teacher": teacher, "count": count, "budget": e.teacher}
    rough = 5 + count * (e.teacher * 5e-6 if teacher == "planner" else 1e-4)
    label = f"{teacher} teaches {task}"
    if about(task).exact and not played:
        return cell(f"{_HERE}.teaching:teach", settings, (), rough, label)
    return cell(f"{_HERE}.playing:teach", settings, (), 4 * rough, label)


def fit(
    task: str, e: Effort, taught: Cell, count: int, seed: int, *, symmetric: bool = True
) -> Cell:
    """A network fitted to `count` answers of a lesson, drawn by the seed.

    It sees every example under the task's symmetries, unless it is not to be told of them.
    """
    settings = {
        "task": task,
        "lesson": taught.id,
        "count": count,
        "room": e.room,
        "steps": list(e.steps),
        "width": e.width,
        "seed": seed,
        **({} if symmetric else {"symmetric": False}),
    }
    rough = 4 + sum(e.steps) * 5e-3
    label = f"{count} examples of {task}"
    function = taught.function.replace(":teach", ":fit")
    return cell(function, settings, (taught.id,), rough, label)


def ladder(task: str, e: Effort, seed: int) -> Cell:
    """Expert iteration, keeping networks along the way."""
    settings = {
        "task": task,
        "iterations": e.iterations,
        "rungs": e.rungs,
        "width": e.width,
        "simulations": e.practice,
        "seed": seed,
    }
    rough = 12 + e.iterations * (0.5 + e.practice * 0.04)
    return cell(f"{_HERE}.teaching:climb", settings, (), rough, f"expert iteration on {task}")


def relearn(task: str, e: Effort, source: Cell, rung: int, budget: int, seed: int) -> Cell:
    """A fresh network fitted to what an earlier one says with `budget` simulations of search."""
    settings = {
        "task": task,
        "source": source.id,
        "rung": rung,
        "budget": budget,
        # At most half of what there is, so that trainings are not all shown the same.
        "count": int(min(e.lesson, about(task).teachable // 2)),
        "room": e.room,
        "steps": list(e.steps),
        "width": e.width,
        "seed": seed,
    }
    rough = 6 + sum(e.steps) * 5e-3 + settings["count"] * budget * 2e-5
    label = f"{budget} simulations teach {task}"
    return cell(f"{_HERE}.teaching:relearn", settings, (source.id,), rough, label)


def closeness(task: str, e: Effort, fitted: Cell) -> Cell:
    """How far a student of the biased teacher is from its teacher, and each from the optimum."""
    on = positions(task, e)
    settings = {"task": task, "positions": on.id, "policy": fitted.id, "limit": e.positions}
    label = f"student and teacher on {task}"
    return cell(f"{_HERE}.teaching:compare", settings, (on.id, fitted.id), 4.0, label)


def price(task: str) -> Cell:
    """What one step of the rules costs, in the currency of networks."""
    return cell(f"{_HERE}.exams:find_price", {"task": task}, (), 3.0, f"price of a step of {task}")
