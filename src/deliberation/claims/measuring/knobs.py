"""Knobs that make a simple world rich, one for each adjective of the sources."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...runs import Cell
from ...stats import Estimate, bootstrap, weighted_sum
from . import cells as shared
from .about import about, beside_gridworlds
from .effort import Effort
from .results import Results, mean

SIMULATIONS = 64
"""What search is given for a decision, wherever a knob stands."""
BUDGETS = (16, SIMULATIONS, 128)
"""What it is tried with, to be read off at equal time: a richer world's simulations take longer."""
SEEDS = 3
"""Networks that are fitted wherever a knob stands."""


class Knob(NamedTuple):
    """What is turned: the adjective of a rich world, and the task at each setting, simple first.

    `played` says that values of positions are not known at each setting, so that whole episodes
    are played at all of them; `degrees` that there is more between simple and rich than one step.
    """

    adjective: str
    label: str
    settings: tuple[float | int, ...]
    tasks: tuple[str, ...]
    played: bool = False
    degrees: bool = True


WIDE = "G..#..G ...D... ...S..."
"""A map for views: from the start all is in sight within 3 cells; the goal is either exit."""


def graded(e: Effort) -> list[Knob]:
    """The knobs of gridworld of which performance is asked; its own setting comes first."""
    every = e.name != "smoke"
    sizes, slips = (5, 7, 9), (0.0, 0.2, 0.4) if every else (0.0, 0.2)
    stochastic = Knob("stochastic", "slip", slips, tuple(_named(slip=slip) for slip in slips))
    if not every:
        return [stochastic]
    large = Knob("large", "size", sizes, tuple(_named(size=size) for size in sizes))
    return [large, stochastic, *_few(), *_played()]


def knobs(e: Effort) -> list[Knob]:
    """All knobs of gridworld."""
    return graded(e)


def _few() -> list[Knob]:
    return [Knob("many actions", "actions", (4, 8), (_named(), _named(actions=8)), degrees=False)]


def _played() -> list[Knob]:
    """Those that lead to where values of positions are not known."""
    from ...tasks import portable_name

    views = tuple(
        portable_name(f"gridworld(layout='{WIDE}', view={view}, horizon=16)") for view in (3, 2, 1)
    )
    anywhere = (_named(), "gridworld_continuous")
    return [
        Knob("partially observable", "cells out of sight", (0, 1, 2), views, played=True),
        Knob("continuous", "steps of any length", (0, 1), anywhere, played=True, degrees=False),
    ]


def _named(**options: float | int) -> str:
    """A gridworld's name; the plain one where every option is the usual."""
    from ...tasks import portable_name

    usual = {"size": 5, "slip": 0.0, "actions": 4}
    told = ", ".join(f"{k}={v}" for k, v in options.items() if v != usual[k])
    return portable_name(f"gridworld({told})") if told else "gridworld"


family_only = functools.partial(
    beside_gridworlds,
    why="asked once of the family of gridworlds, whose members differ in one knob at a time",
)
"""Why a claim about knobs does not apply; nothing for the world whose knobs are turned."""


def knob_cells(knob: Knob, e: Effort) -> list[Cell]:
    """Search, and networks fitted in the same way, wherever the knob stands."""
    return [
        cell for task in knob.tasks for cell in (search(knob, task, e), *networks(knob, task, e))
    ]


def search(knob: Knob, task: str, e: Effort) -> Cell:
    """Search from the rules alone, with the fixed budget and others around it."""
    who = f"{shared.SUBJECTS}:planner"
    return shared.score(task, e, who, BUDGETS, played=knob.played)


def networks(knob: Knob, task: str, e: Effort) -> list[Cell]:
    """Networks fitted to answers of the same search, equally many where there are so many."""
    who = f"{shared.SUBJECTS}:network"
    return [
        shared.score(task, e, who, (0,), policy=policy, played=knob.played)
        for policy in fitted(task, e, played=knob.played)
    ]


def fitted(task: str, e: Effort, *, played: bool = False) -> list[Cell]:
    """The networks themselves."""
    count = e.lesson
    if not played:
        count = int(min(count, about(task).teachable))
    fewer = {"played": True, "count": count} if played else {}
    taught = shared.lesson(task, e, **fewer)
    return [shared.fit(task, e, taught, count, seed) for seed in range(SEEDS)]


def ways(
    knob: Knob, e: Effort, results: Results
) -> tuple[list[Estimate], list[Estimate], list[Estimate]]:
    """Of search, of the networks, and search less network, at each setting of a knob.

    Search has as long for a decision everywhere: what the fixed budget takes at the first setting.
    """
    found: tuple[list[Estimate], ...] = ([], [], [])
    allowed = milliseconds(results, search(knob, knob.tasks[0], e))[BUDGETS.index(SIMULATIONS)]
    for task in knob.tasks:
        cell = search(knob, task, e)
        low, planned = results.low(cell), within(results, cell, allowed)
        learned = results.tables(networks(knob, task, e))[:, 0]
        found[0].append(mean(planned, low))
        found[1].append(mean(learned, low))
        found[2].append(bootstrap(planned - learned, bounds=(low - 1, 1 - low)))
    return found[0], found[1], found[2]


def alone(knob: Knob, task: str, e: Effort, results: Results) -> Estimate:
    """Of search with the fixed budget at one setting."""
    cell = search(knob, task, e)
    return mean(results.table(cell)[BUDGETS.index(SIMULATIONS)], results.low(cell))


def milliseconds(results: Results, cell: Cell) -> np.ndarray:
    """What a decision of search takes at each budget: medians, never less for more."""
    times = [float(np.median(row)) for row in results.outcomes(cell)["milliseconds"]]
    return np.maximum.accumulate(times)


def within(results: Results, cell: Cell, allowed: float) -> np.ndarray:
    """The scores [items] of search that may take so many milliseconds a decision.

    Between the budgets that were tried, by interpolation in log time; beyond them, those of the
    least or the most.
    """
    scores, times = results.table(cell), np.log(milliseconds(results, cell))
    at = float(np.interp(np.log(allowed), times, np.arange(len(times))))
    below = min(int(at), len(scores) - 2)
    return scores[below] + (at - below) * (scores[below + 1] - scores[below])


def per_step(estimates: Sequence[Estimate]) -> Estimate:
    """Least-squares slope over the settings of a knob, a step at a time."""
    at = np.arange(len(estimates), dtype=float)
    weights = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    return weighted_sum(estimates, weights.tolist())


def crossing(knob: Knob, ahead: Sequence[Estimate], *, draws: int = 2000) -> Estimate:
    """The setting at which a line through the differences is zero, and where it may lie.

    The differences are drawn from their intervals, each anew; where fewer than 19 in 20 of the
    lines cross within the settings tried, an end is infinite: it lies beyond.
    """
    at = np.asarray(knob.settings, float)
    middle = np.array([e.estimate for e in ahead])
    spread = np.array([(e.high - e.low) / 3.92 for e in ahead])
    rng = np.random.default_rng(0)
    lines = middle + spread * rng.standard_normal((draws, len(ahead)))
    zeros = np.sort(_zeros(at, np.concatenate([middle[None], lines]))[1:])
    low, high = np.quantile(zeros, [0.025, 0.975], method="inverted_cdf")
    estimate = _zeros(at, middle[None])[0]
    ends = [x if at[0] <= x <= at[-1] else np.inf * np.sign(x - at.mean()) for x in (low, high)]
    return Estimate(float(estimate), float(ends[0]), float(ends[1]), min(e.n for e in ahead))


def _zeros(at: np.ndarray, lines: np.ndarray) -> np.ndarray:
    x = at - at.mean()
    slope = lines @ x / (x @ x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return at.mean() - lines.mean(1) / slope
