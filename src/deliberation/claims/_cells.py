"""The cells that claims are made of; equal settings give equal cells, so claims share them."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..runs import Cell
from ._effort import Effort

_WORK = "deliberation.claims._work"
_KNOWN: dict[str, Cell] = {}

MANY = 5000
"""Positions drawn where any will do, contested or not: all 4,520 of tic-tac-toe, and a sample of
larger tasks."""


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


def positions(task: str, e: Effort, *, every: bool = False) -> Cell:
    """Unfinished positions with the exact value of each action, contested ones unless `every`.

    With `every`, contested or not: all of them where there are no more than `MANY`.
    """
    rough = {"connect_4_5x4": 25.0, "connect_four": 3.0}.get(task, 4.0)
    settings = {"task": task, "count": MANY if every else e.positions, "contested": not every}
    return _cell("find_positions", settings, (), rough, f"positions of {task}")


def random_score(task: str, e: Effort, *, every: bool = False) -> Cell:
    """What choosing uniformly at random scores, in expectation."""
    return score(task, e, {"kind": "random"}, (0,), every=every)


def uct_score(task: str, e: Effort) -> Cell:
    """Unguided tree search with random rollouts over the budgets."""
    return score(task, e, {"kind": "uct"}, e.budgets)


def score(
    task: str,
    e: Effort,
    decider: dict[str, Any],
    budgets: Sequence[int],
    *,
    policy: Cell | None = None,
    rung: int | None = None,
    every: bool = False,
) -> Cell:
    """A decider's choices on the positions at each budget, against the exact answers."""
    on = positions(task, e, every=every)
    settings = {
        "task": task,
        "decider": decider,
        "budgets": list(budgets),
        "positions": on.id,
        "policy": None if policy is None else policy.id,
        "rung": rung,
    }
    needs = (on.id,) if policy is None else (on.id, policy.id)
    many = MANY if every else e.positions
    rough = 4 + sum(budgets) * many * (2e-5 if policy else 5e-6)
    return _cell("score", settings, needs, rough, f"{decider['kind']} on {task}")


def lesson(task: str, e: Effort, *, teacher: str = "uct") -> Cell:
    """Positions with a teacher's answers, as many as the largest fit wants.

    Teachers: "uct" (a search), or "biased" (see `_work.biased_weights`: known, and not optimal).
    """
    settings = {"task": task, "teacher": teacher, "count": max(e.lessons), "budget": e.teacher}
    rough = 5 + max(e.lessons) * (e.teacher * 5e-6 if teacher == "uct" else 1e-4)
    return _cell("teach", settings, (), rough, f"{teacher} teaches {task}")


def fit(task: str, e: Effort, taught: Cell, count: int, seed: int) -> Cell:
    """A network fitted to `count` answers of a lesson, drawn by the seed."""
    settings = {
        "task": task,
        "lesson": taught.id,
        "count": count,
        "steps": e.steps,
        "width": e.width,
        "seed": seed,
    }
    return _cell("fit", settings, (taught.id,), 4 + e.steps * 5e-3, f"{count} examples of {task}")


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
    return _cell("climb", settings, (), rough, f"expert iteration on {task}")


def relearn(task: str, e: Effort, source: Cell, rung: int, budget: int, seed: int) -> Cell:
    """A fresh network fitted to what an earlier one says with `budget` simulations of search."""
    settings = {
        "task": task,
        "source": source.id,
        "rung": rung,
        "budget": budget,
        "count": sorted(e.lessons)[-2],
        "room": max(e.lessons),
        "steps": e.steps,
        "width": e.width,
        "seed": seed,
    }
    rough = 6 + e.steps * 5e-3 + settings["count"] * budget * 2e-5
    return _cell("relearn", settings, (source.id,), rough, f"{budget} simulations teach {task}")


def closeness(task: str, e: Effort, fitted: Cell) -> Cell:
    """How far a student of the biased teacher is from its teacher, and each from the optimum."""
    on = positions(task, e, every=True)
    settings = {"task": task, "positions": on.id, "policy": fitted.id, "limit": 4 * e.positions}
    return _cell("compare", settings, (on.id, fitted.id), 4.0, f"student and teacher on {task}")


def _cell(
    function: str, settings: dict[str, Any], needs: tuple[str, ...], seconds: float, label: str
) -> Cell:
    cell = Cell(f"{_WORK}:{function}", settings, needs, seconds, label)
    return _KNOWN.setdefault(cell.id, cell)
