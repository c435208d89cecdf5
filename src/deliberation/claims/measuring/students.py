"""The networks fitted to search's answers, which several claims look at from different sides."""

from collections.abc import Sequence

import numpy as np

from ...runs import Cell, Panel, Reference
from ...stats import Estimate, search_equivalent
from . import cells
from .about import About, about, taught_only
from .effort import Effort
from .results import Results, curve


def learned(task: str) -> bool:
    """Whether networks are taught on a task."""
    return about(task).exact


APART = 16
"""Times as many examples in the most data as in the least, so that a claim about data is made."""


def sizes(task: str, e: Effort) -> tuple[int, ...]:
    """The numbers of different examples that networks are fitted to.

    Those of `cells.lessons` that there are; where there are not all, the last is all there are.
    """
    there, asked = about(task).teachable, cells.lessons(task, e)
    found = [count for count in asked if 1.5 * count <= there]
    if len(found) < len(asked):
        found.append(int(there))
    return tuple(found)


def most(task: str, e: Effort) -> int:
    """The most of them."""
    return sizes(task, e)[-1]


def data_only(it: About, e: Effort) -> str:
    """Why a claim about how much data networks are shown does not apply; nothing where it does."""
    reason = taught_only(it, e)
    if reason or most(it.name, e) >= APART * sizes(it.name, e)[0]:
        return reason
    return (
        f"only {it.teachable:,.0f} different positions can be taught: too few to tell much data "
        "from little"
    )


def taught(task: str, e: Effort, count: int) -> list[Cell]:
    """Networks fitted to `count` examples, one a seed."""
    lesson = cells.lesson(task, e)
    return [cells.fit(task, e, lesson, count, seed) for seed in range(e.seeds)]


def scored(task: str, e: Effort, count: int) -> list[Cell]:
    """Their scores, one forward pass a decision."""
    who = f"{cells.SUBJECTS}:network"
    return [cells.score(task, e, who, (0,), policy=p) for p in taught(task, e, count)]


def all_scored(task: str, e: Effort) -> list[Cell]:
    """Scores of every size of data."""
    return [cell for count in sizes(task, e) for cell in scored(task, e, count)]


def by_size(task: str, e: Effort, results: Results) -> list[np.ndarray]:
    """[seeds, positions] of the networks' scores at each size of data."""
    return [results.tables(scored(task, e, count))[:, 0] for count in sizes(task, e)]


def data_panel(
    task: str,
    e: Effort,
    scores: Sequence[np.ndarray],
    references: list[Reference],
    low: float = 0.0,
) -> Panel:
    """The networks' scores against the examples that they were fitted to."""
    return Panel(
        title=task,
        x_label="examples",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[curve("network", sizes(task, e), scores, low)],
        references=references,
    )


def search_and_best(task: str, e: Effort) -> list[Cell]:
    """Unguided search over its budgets, and the networks fitted to the most data."""
    return [cells.planner_score(task, e), *scored(task, e, most(task, e))]


def best_scores(task: str, e: Effort, results: Results) -> np.ndarray:
    """[seeds, positions] of the networks fitted to the most data."""
    return results.tables(scored(task, e, most(task, e)))[:, 0]


def equivalent(task: str, e: Effort, results: Results) -> Estimate:
    """The budget at which unguided search scores what those networks score."""
    search = results.table(cells.planner_score(task, e))
    return search_equivalent(e.budgets, search, best_scores(task, e, results))


def examples_needed(
    task: str, e: Effort, by_size: Sequence[np.ndarray], goal: np.ndarray
) -> Estimate:
    """Examples at which the networks' curve reaches scores [positions]."""
    return search_equivalent(sizes(task, e), np.stack(by_size, axis=1), goal)


def reached(at: Estimate, tried: Sequence[int]) -> str:
    """Where a curve reaches a score, in words; beyond what was tried only a bound is known."""
    few, many = min(tried), max(tried)
    if np.isnan(at.estimate):
        return "an unknown number of"
    if not few <= at.estimate <= many:
        return f"fewer than {few:,}" if at.estimate < few else f"more than {many:,}"
    low = f"{at.low:,.0f}" if at.low >= few else f"under {few:,}"
    high = f"{at.high:,.0f}" if at.high <= many else f"over {many:,}"
    known = not np.isnan([at.low, at.high]).any()
    return f"about {at.estimate:,.0f}" + (f" [{low}, {high}]" if known else "")
