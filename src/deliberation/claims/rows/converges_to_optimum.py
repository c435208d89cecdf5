"""The limit of search: the argmax of its objective."""

from ...runs import Cell, Panel, Series
from ..measuring import cells as shared
from ..measuring.about import everywhere
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed

ENOUGH = 0.9
CLAIM = {
    "name": "converges_to_optimum",
    "aspect": "convergence",
    "side": "direct",
    "title": "Convergence of search: to the optimum",
    "statement": "With the largest budget tried, search from the rules alone is within a tenth of "
    "the way of the exact optimum of its objective.",
    "estimand": "Share of the way from random play to the exact optimum at the largest budget.",
    "unit": "positions (or episodes)",
    "smallest": "0.9 of the way",
    "refuted_if": "The share of the way lies below 0.9, as for a search that settles elsewhere "
    "or needs more than was given.",
}

PLANTED = {
    "null": {
        "a search that settles short": {"search": (0.8, 0.0)},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"half of what the claim allows is missing": {"search": (0.95, 0.0)}},
}
applies = everywhere


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets."""
    return [shared.planner_score(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The regret that is left at the largest budget."""
    cell, budgets = shared.planner_score(task, e), shared.budgets(task, e)
    way, low = results.table(cell), results.low(cell)
    points = [mean(each, low) for each in way]
    row = claimed(
        CLAIM, task, f"search ({budgets[-1]})", "way reached at the largest budget", points[-1],
        above=ENOUGH, unit="of the way",
    )  # fmt: skip
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="regret, parts of the way",
        x_scale="log2",
        series=[
            Series(
                label="search",
                x=[float(b) for b in budgets],
                y=[1 - p.estimate for p in points],
                low=[1 - p.shown.high for p in points],
                high=[1 - p.shown.low for p in points],
            )
        ],
    )
    sentence = (
        f"On {task} the regret of search falls from {1 - points[0].estimate:.2f} of the way at "
        f"{budgets[0]} to {1 - points[-1].estimate:.3f} at {budgets[-1]} simulations."
    )
    return Shown([row], [panel], sentence)
