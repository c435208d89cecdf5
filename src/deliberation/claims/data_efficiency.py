"""Item 28: the rules suffice for search; a network needs data to get as far."""

import numpy as np

from ..runs import Cell, Reference
from ..stats import judge, search_equivalent
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, mean, row

CLAIM = {
    "name": "data_efficiency",
    "item": 28,
    "title": "Data efficiency",
    "statement": "Search needs the rules and no examples; to score what a moderate search scores, "
    "a network needs many.",
    "refuted_if": "Fewer examples than the smallest data set suffice for the network to score "
    "what the search scores.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets, and networks over sizes of data."""
    return [_cells.uct_score(task, e), *_students.all_scored(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Examples at which the networks' curve reaches the score of search at a middling budget."""
    at = len(e.budgets) // 2
    search = results.table(_cells.uct_score(task, e))[at]
    by_size = _students.by_size(task, e, results)
    needed = search_equivalent(e.lessons, np.stack(by_size, axis=1), search)
    goal, budget = mean(search), e.budgets[at]
    quantity = f"examples to match search ({budget})"
    verdict = judge(needed, above=min(e.lessons))
    reference = Reference(label=f"search ({budget}), no examples", y=goal.estimate)
    panel = _students.data_panel(task, e, by_size, [reference])
    sentence = (
        f"On {task} search with {budget} simulations scores {goal.estimate:.2f} from the rules "
        f"alone; the network needs {_students.reached(needed, e.lessons)} examples."
    )
    return Shown([row(CLAIM, task, "network", quantity, needed, verdict)], [panel], sentence)
