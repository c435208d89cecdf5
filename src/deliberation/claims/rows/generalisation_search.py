"""Generalisation of search: to larger worlds it reaches as far as its budget grows with them."""

import numpy as np

from ...runs import Cell, Panel, Series
from ...stats import Estimate, bootstrap_means
from ..measuring import cells as shared
from ..measuring import trials
from ..measuring.effort import Effort
from ..measuring.growth import grown, size_only
from ..measuring.results import Results, Shown, mean, series_of, way_panel
from ..measuring.rows import claimed, told

SMALL, LARGE = 4, 256
SMALLEST, LOST = 0.1, 0.1
CLAIM = {
    "name": "generalisation_search",
    "aspect": "generalisation",
    "side": "direct",
    "title": "Generalisation of search: budget against size",
    "statement": "In a larger world of the same kind search loses at least 0.1 of the way with the "
    "budget that served the small one, and holds its score if the budget grows with the size.",
    "estimand": "Way on contested positions of the largest size, with 4 simulations and with 256, "
    "each less the way at the smallest size with 4. Sizes: a room gains rows and columns, a map is "
    "stretched, a board gains a column.",
    "unit": "positions",
    "smallest": "0.1 of the way",
    "refuted_if": "The fixed budget loses less than 0.1 of the way, so that size did not matter; "
    "or even the grown one goes more than 0.1 of the way less far than the small one did.",
}
PLANTED = {
    "null": {
        "a size that does not matter": {"search": (0.6, 0.05)},
        "a search that ignores its budget": {"search": (0.5, 0.0), "more": {"larger": -0.3}},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"search": (0.6, 0.05), "more": {"larger": -0.2}}},
}
applies = size_only


def sizes(task: str, e: Effort) -> tuple[str, ...]:
    """The task and larger ones; at the smallest effort one larger one."""
    found = grown(task)
    return found[:2] if e.name == "smoke" else found


def budgets_grown(count: int) -> tuple[int, ...]:
    """A budget for each size, growing by equal factors."""
    return tuple(np.geomspace(SMALL, LARGE, count).round().astype(int).tolist())


def cells(task: str, e: Effort) -> list[Cell]:
    """Search at each size, with the budget of the smallest and with the one grown."""
    return [shared.planner_score(task, e), *_larger(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Fixed against grown budgets; positions of two sizes are independent samples."""
    first, *larger = sizes(task, e)
    home = shared.planner_score(task, e)
    fixed = [results.table(home)[e.budgets.index(SMALL)]]
    kept, lows = [fixed[0]], [results.low(home)]
    grown_to = budgets_grown(1 + len(larger))[1:]
    for cell, budget in zip(_larger(task, e), grown_to, strict=True):
        way = results.table(cell)
        fixed.append(way[e.budgets.index(SMALL)])
        kept.append(way[e.budgets.index(budget)])
        lows.append(results.low(cell))
    (gained,) = bootstrap_means(lambda m: m[..., 1] - m[..., 0], fixed[-1], kept[-1])
    held = apart(mean(kept[-1], lows[-1]), mean(kept[0], lows[0]))
    lost = apart(mean(fixed[-1], lows[-1]), mean(fixed[0], lows[0]))
    at = f"search on {larger[-1]}"
    rows = [
        claimed(CLAIM, task, at, "way with the fixed budget less the small task's", lost,
                below=-SMALLEST, unit="of the way"),
        claimed(
            CLAIM, task, at, "way with the grown budget less the small task's", held,
            above=-LOST, unit="of the way", note=f"the small task with {SMALL} simulations",
        ),
        told(CLAIM, task, at, f"way gained by {LARGE} simulations over {SMALL}", gained,
             unit="of the way"),
    ]  # fmt: skip
    sentence = (
        f"From {first} to {larger[-1]}, search with {SMALL} simulations goes from "
        f"{fixed[0].mean():.2f} to {fixed[-1].mean():.2f} of the way, with a budget grown to "
        f"{LARGE} to {kept[-1].mean():.2f}."
    )
    return Shown(rows, [_panel(task, fixed, kept, lows)], sentence)


def apart(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two independent estimates; the interval's halves add in squares."""
    down = np.hypot(one.estimate - one.low, other.high - other.estimate)
    up = np.hypot(one.high - one.estimate, other.estimate - other.low)
    value = one.estimate - other.estimate
    freedom = min(one.freedom, other.freedom)
    return Estimate(value, value - float(down), value + float(up), one.n + other.n, freedom)


def _larger(task: str, e: Effort) -> list[Cell]:
    return [trials.larger_score(name, e, e.budgets) for name in sizes(task, e)[1:]]


def _panel(task: str, fixed: list[np.ndarray], kept: list[np.ndarray], lows: list[float]) -> Panel:
    shown = {"fixed budget": fixed, "budget grown with size": kept}
    series = [_line(label, samples, lows) for label, samples in shown.items()]
    return way_panel(task, "size (steps beyond the task's own)", series)


def _line(label: str, samples: list[np.ndarray], lows: list[float]) -> Series:
    points = [mean(x, low) for x, low in zip(samples, lows, strict=True)]
    return series_of(label, range(len(points)), points)
