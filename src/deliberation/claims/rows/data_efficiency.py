"""The rules suffice for search; a network has to be shown much before it does as well."""

from ...runs import Cell, Reference
from ...stats import bootstrap
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed, told

ENOUGH, SMALLEST = 0.5, 0.1
CLAIM = {
    "name": "data_efficiency",
    "aspect": "data_efficiency",
    "side": "both",
    "title": "Data efficiency",
    "statement": "From the rules alone and no example, a moderate search goes at least half of the "
    "way to the optimum; a network that was shown little stands clearly short of the same network "
    "shown much.",
    "estimand": "Search: share of the way at the middle budget, with no example. Network: what "
    "the most data gain it over the least, in parts of the way; its gradient steps are chosen by "
    "the loss on examples set aside, and no position (nor its mirror image) is tested that was "
    "taught. Where values of positions are not known, whole episodes are played, and the examples "
    "are those of the search's own episodes. Where something is hidden the most data are an eighth "
    "of those elsewhere, since a search over histories teaches.",
    "unit": "trainings and positions",
    "smallest": "0.5 of the way for search; 0.1 of the way for the network",
    "refuted_if": "Search goes less than half of the way; or more data gain the network less than "
    "0.1 of the way, because the least sufficed or because it does not learn.",
}

PLANTED = {
    "null": {
        "a network that does not learn": {"network": (0.2, 0.0), "search": (0.9, 0.0)},
        "a network that needs next to nothing": {"network": (0.9, 0.0), "search": (0.9, 0.0)},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"network": (0.1, 0.0353), "search": (0.75, 0.0)}},
}
applies = students.data_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets, and networks over sizes of data."""
    return [shared.planner_score(task, e), *students.all_scored(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Search without data, and what data gain the network."""
    budgets, cell = shared.budgets(task, e), shared.planner_score(task, e)
    at = len(budgets) // 2
    low, budget = results.low(cell), budgets[at]
    search = results.table(cell)[at]
    by_size = students.by_size(task, e, results)
    alone = mean(search, low)
    gained = bootstrap(by_size[-1] - by_size[0], bounds=(low - 1, 1 - low))
    gap = bootstrap(by_size[-1] - search, bounds=(low - 1, 1 - low))
    tried = students.sizes(task, e)
    least, most = tried[0], tried[-1]
    rows = [
        claimed(
            CLAIM, task, f"search ({budget})", "way reached with no example", alone,
            above=ENOUGH, unit="of the way", side="direct", over="positions or episodes",
        ),
        claimed(
            CLAIM, task, "network", "way gained by much data over little", gained,
            above=SMALLEST, unit="of the way", side="amortised",
            note=f"{most:,} examples against {least:,}",
        ),
        told(
            CLAIM, task, f"network ({most:,} examples)", f"way beyond search ({budget})", gap,
            unit="of the way", side="amortised",
        ),
    ]  # fmt: skip
    reference = Reference(label=f"search ({budget}), no examples", y=alone.estimate)
    panel = students.data_panel(task, e, by_size, [reference], low)
    needed = students.examples_needed(task, e, by_size, search)
    sentence = (
        f"On {task} search with {budget} simulations goes {alone.estimate:.2f} of the way from the "
        f"rules alone; the network needs {students.reached(needed, tried)} examples for that."
    )
    return Shown(rows, [panel], sentence)
