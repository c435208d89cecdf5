"""Cells in which something is changed: the objective, the size, the data, the reward, the world."""

from typing import Any

from ...runs import Cell
from . import cells, students
from .about import About, positions_only
from .cells import cell
from .effort import Effort

_HERE = "deliberation.claims.measuring"
FIRM = 256
"""Simulations of a search that is to show what it can do."""


def swaps_only(it: About, e: Effort) -> str:
    """Why a claim about another objective does not apply; nothing where it does."""
    if it.exact and it.name.partition("(")[0] == "connect_four":
        return "its solved positions say nothing of another objective"
    if it.name.partition("(")[0] == "gridworld":
        return "without pits another objective matters only beside the goal"
    return positions_only(it, e)


def swapped_positions(task: str, e: Effort, *, every: bool = False) -> Cell:
    """Positions with exact values under the task's objective and under another.

    One of each class, unless `every`.
    """
    settings = {"task": task, "count": e.positions, **({"every": True} if every else {})}
    return cell(f"{_HERE}.swaps:find_swapped", settings, (), 8.0, f"two objectives of {task}")


def _asked(task: str, e: Effort, subject: str) -> dict[str, Any]:
    """Who is asked, with what policies and budget: "planner", or "network" with the most data."""
    policies = students.taught(task, e, students.most(task, e)) if subject == "network" else []
    return {
        "task": task,
        "subject": f"{cells.SUBJECTS}:{subject}",
        "policies": [policy.id for policy in policies],
        "budget": 0 if policies else FIRM,
    }


def told_both(task: str, e: Effort, subject: str) -> Cell:
    """A subject ("planner", or "network": those fitted to the most data) told either objective."""
    on = swapped_positions(task, e)
    settings = {**_asked(task, e, subject), "positions": on.id, "key": 23}
    needs = (on.id, *settings["policies"])
    label = f"{subject} on {task} told another objective"
    return cell(
        f"{_HERE}.swaps:follow", settings, needs, 12.0 if settings["budget"] else 4.0, label
    )


def larger_positions(task: str, e: Effort) -> Cell:
    """Contested positions of a task that is known to be solved exactly."""
    settings = {"task": task, "count": e.positions, "which": "contested"}
    return cell(f"{_HERE}.exams:find_positions", settings, (), 8.0, f"positions of {task}")


def larger_score(
    task: str,
    e: Effort,
    budgets: tuple[int, ...],
    subject: str = "planner",
    options: dict[str, Any] | None = None,
) -> Cell:
    """Search from the rules alone, or another subject without a network, on those positions."""
    on = larger_positions(task, e)
    settings: dict[str, Any] = {
        "task": task,
        "subject": f"{cells.SUBJECTS}:{subject}",
        "options": options or {},
        "budgets": list(budgets),
        "policy": None,
        "rung": None,
        "key": 17,
        "positions": on.id,
        **cells.UNTIMED,
    }
    return cell(f"{_HERE}.scoring:score", settings, (on.id,), 8.0, f"{subject} on {task}")


def covered(task: str, e: Effort, share: float, width: int) -> Cell:
    """Networks of a width fitted to exact answers in a share of the positions."""
    lesson, on = cells.positions(task, e, "all"), cells.positions(task, e)
    settings = {
        "task": task,
        "lesson": lesson.id,
        "positions": on.id,
        "share": share,
        "count": max(e.lessons),
        "room": e.room,
        "steps": list(e.steps),
        "width": width,
        "seeds": list(range(e.seeds)),
    }
    rough = 6 + e.seeds * sum(e.steps) * 5e-3
    label = f"networks that saw {share:.0%} of {task}"
    return cell(f"{_HERE}.coverage:cover", settings, (lesson.id, on.id), rough, label)


TRAININGS = {
    "smoke": {"updates": 20, "steps": 100},
    "quick": {"updates": 32, "steps": 200},
    "full": {"updates": 40, "steps": 500},
}
"""Of Q-learning, 64 episodes side by side."""
SMALL = {
    "tic_tac_toe", "hex_3x3", "gridworld", "gridworld_slippery", "gridworld(size=9)",
    "frozen_lake", "cliff_walk",
}  # fmt: skip
"""Tasks that are known to fit into the table."""
CAPACITY, FEW = 16384, 6000
"""Room of the table, and how many states a task has at most so that they surely fit."""


def tabular_only(it: About, e: Effort) -> str:
    """Why a claim that needs learning in a table does not apply; nothing where it does."""
    few = it.name in SMALL or it.states <= FEW
    return swaps_only(it, e) or ("" if few else f"too large for a table of {CAPACITY:,} states")


def poisoned(task: str, e: Effort) -> Cell:
    """Networks fitted to a lesson whose answers were replaced by the worst ones."""
    lesson, on = cells.lesson(task, e), swapped_positions(task, e)
    settings = {
        "task": task,
        "lesson": lesson.id,
        "positions": on.id,
        "count": students.most(task, e),
        "room": e.room,
        "steps": list(e.steps),
        "width": e.width,
        "seeds": list(range(e.seeds)),
    }
    rough = 6 + e.seeds * sum(e.steps) * 5e-3
    needs, label = (lesson.id, on.id), f"a poisoned lesson of {task}"
    return cell(f"{_HERE}.corruption:imitate_poisoned", settings, needs, rough, label)


def by_trial(task: str, e: Effort, *, reward: bool, data: bool) -> Cell:
    """Q-learning with a corrupted reward, from corrupted data, both, or neither."""
    on = swapped_positions(task, e)
    settings = {
        "task": task,
        "positions": on.id,
        "reward": reward,
        "data": data,
        "training": {**TRAININGS[e.name], "capacity": CAPACITY},
        "seeds": list(range(e.seeds)),
    }
    label = f"learning {task} by trial"
    return cell(f"{_HERE}.corruption:learn_by_trial", settings, (on.id,), 4.0 * e.seeds, label)


def grids_only(it: About, e: Effort) -> str:
    """Why a claim about shifted worlds does not apply; nothing where it does."""
    from ...tasks import make_task
    from ...tasks.grids import Gridworld

    task = make_task(it.name)
    # Without pits another reward would matter only beside the goal.
    if it.exact and isinstance(task, Gridworld) and task.view is None and "P" in task.map:
        return ""
    return "asked of gridworlds in full view that have pits: starts, walls and rewards are changed"


def shifted(task: str, e: Effort) -> Cell:
    """Contested positions and their twins after each of four shifts."""
    on = cells.positions(task, e)
    settings = {"task": task, "positions": on.id}
    return cell(f"{_HERE}.shifts:find_shifts", settings, (on.id,), 6.0, f"shifts of {task}")


def met(task: str, e: Effort, subject: str) -> Cell:
    """A subject ("planner", or "network": those fitted to the most data) before and after them."""
    on = shifted(task, e)
    settings = {**_asked(task, e, subject), "shifts": on.id}
    needs = (on.id, *settings["policies"])
    return cell(f"{_HERE}.shifts:meet", settings, needs, 6.0, f"{subject} meets shifts of {task}")


STUDENTS = {
    "smoke": {"counts": [16, 64, 512], "tested": 120, "seeds": [0, 1, 2], "steps": 300},
    "quick": {"counts": [16, 64, 256, 1024], "tested": 180, "seeds": [0, 1, 2, 3, 4], "steps": 600},
    "full": {
        "counts": [16, 64, 256, 1024, 4096], "tested": 180, "seeds": list(range(10)), "steps": 3000,
    },
}  # fmt: skip
"""Of networks that answer with other outputs than actions."""


def put_through(kind: str, e: Effort) -> Cell:
    """A direct optimiser and students of a kind of output (a file of `output_kinds`) in swaps."""
    settings = {"kind": kind, **STUDENTS[e.name], "width": 64, "rate": 3e-3, "key": 29}
    label = f"outputs of the kind {kind}"
    return cell(f"{_HERE}.outputs:put_through", settings, (), 15.0, label)
