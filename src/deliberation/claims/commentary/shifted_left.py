"""A planner that begins from an amortised policy: its budget curve is shifted to the left."""

from ...runs import Cell, Panel, Reference
from ...stats import Estimate, search_equivalent
from ..measuring import cells as shared
from ..measuring.about import climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean
from ..measuring.rows import claimed
from ..rows.exchange_rate import rungs

SIMULATIONS, SMALLEST = 4, 2.0
CLAIM = {
    "name": "shifted_left",
    "aspect": "commentary",
    "side": "both",
    "title": "A planner begun from a policy",
    "statement": "Begun from a learned policy and value, search with 4 simulations comes as near "
    "to the optimum as search from the rules alone with at least 8.",
    "estimand": "Simulations that search from the rules alone needs to come as near to the optimum "
    "as guided search with 4, over 4.",
    "unit": "runs of expert iteration, and positions",
    "smallest": "twice the simulations",
    "refuted_if": "The ratio lies below 2, as for a network that learned nothing.",
}
PLANTED = {
    "null": {
        "a network that learned nothing": {"search": (0.3, 0.1), "guided": (0.5, 0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"search": (0.3, 0.1), "guided": (0.7, 0.0, 0.0)}},
}
applies = climbed_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search from the rules over its budgets, and guided by the last networks."""
    return [shared.planner_score(task, e), *_guided(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Where the curve of unguided search reaches what guided search does with few simulations."""
    cell = shared.planner_score(task, e)
    low, search = results.low(cell), results.table(cell)
    guided = results.tables(_guided(task, e))
    at = 1 + e.dial.index(SIMULATIONS)
    needed = search_equivalent(e.budgets, search, guided[:, at])
    middle, first, last = (x / SIMULATIONS for x in (needed.estimate, needed.low, needed.high))
    ratio = Estimate(middle, first, last, needed.n, needed.freedom)
    row = claimed(
        CLAIM, task, f"guided search ({SIMULATIONS})", "simulations saved, ratio", ratio,
        above=SMALLEST, log=True, unit="times",
    )  # fmt: skip
    reached = mean(guided[:, at], low).estimate
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[
            curve("search from the rules", e.budgets, list(search), low),
            curve("begun from a policy", e.dial, list(guided[:, 1:].swapaxes(0, 1)), low),
        ],
        references=[Reference(label="network alone", y=float(guided[:, 0].mean()))],
    )
    sentence = (
        f"On {task} guided search goes {reached:.2f} of the way with {SIMULATIONS} simulations; "
        f"from the rules alone that takes about {needed.estimate:,.0f}."
    )
    return Shown([row], [panel], sentence)


def _guided(task: str, e: Effort) -> list[Cell]:
    """Search guided by the last network of each expert iteration."""
    return [rungs(task, e, seed)[-1] for seed in range(e.ladders)]
