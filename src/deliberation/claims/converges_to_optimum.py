"""Item 26, the direct side: with compute, search converges to the optimum of its objective."""

import numpy as np

from ..runs import Cell, Panel, Series
from ..stats import Estimate, judge, slope
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, mean, row

CLAIM = {
    "name": "converges_to_optimum",
    "item": 26,
    "title": "Convergence of search: to the optimum",
    "statement": "As the budget grows, the regret of search against the exact optimum falls "
    "towards zero.",
    "refuted_if": "Regret does not fall: its slope in log2 of the budget lies at or above 0.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Unguided search over its budgets."""
    return [_cells.uct_score(task, e), _cells.random_score(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The slope of regret, and the regret that is left at the largest budget."""
    regret = results.table(_cells.uct_score(task, e), "regret")
    falls = slope(np.log2(e.budgets), regret, bounds=(0, 2))
    points = [_mean(r) for r in regret]
    left = points[-1]
    rows = [
        row(CLAIM, task, "search", "regret per doubling", falls, judge(falls, below=0)),
        row(CLAIM, task, f"search ({e.budgets[-1]})", "regret left", left),
    ]
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="regret",
        x_scale="log2",
        series=[
            Series(
                label="search",
                x=[float(b) for b in e.budgets],
                y=[p.estimate for p in points],
                low=[p.low for p in points],
                high=[p.high for p in points],
            )
        ],
    )
    sentence = (
        f"On {task} regret falls from {points[0].estimate:.2f} at {e.budgets[0]} to "
        f"{left.estimate:.3f} at {e.budgets[-1]} simulations."
    )
    return Shown(rows, [panel], sentence)


def _mean(regret: np.ndarray) -> Estimate:
    """The mean regret. Halved it lies in [0, 1], so that all zeros keep an honest interval."""
    half = mean(regret / 2)
    return Estimate(2 * half.estimate, 2 * half.low, 2 * half.high, half.n)
