"""Item 23: searching a solution space against learning an approximator, counted."""

import numpy as np

from ..runs import Cell
from ..stats import Estimate, bootstrap, combine, judge
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, row

CLAIM = {
    "name": "computation",
    "item": 23,
    "title": "What is computed: search, or a learned function",
    "statement": "Direct: the model is called at decision time and nothing is fitted. Amortised: "
    "gradient steps before, one forward pass and no call of the model at decision time.",
    "refuted_if": "Search decides without calling its model, or needs a fit; or the network "
    "calls a model when it decides, or needs no fit.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Unguided search, and the network fitted to the most data."""
    return [_cells.uct_score(task, e), _fitted(task, e), _network(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Counts of both sides; a decision is one position at the largest budget."""
    search, network = _cells.uct_score(task, e), _network(task, e)
    called = bootstrap(results.table(search, "model_steps")[-1])
    unused = _counted(results.table(network, "model_steps")[0])
    passes = _counted(results.table(network, "evaluations")[0])
    fits = results.spent(_fitted(task, e))["fits"] - results.spent(search)["fits"]
    trained = _counted(np.array([float(fits)]))
    searches = judge(called, above=0)
    reacts = combine(
        [judge(unused, within=(0, 0)), judge(passes, within=(1, 1)), judge(trained, above=0)]
    )
    budget = e.budgets[-1]
    rows = [
        row(CLAIM, task, f"search ({budget})", "model steps a decision", called, searches),
        row(CLAIM, task, "network", "model steps a decision", unused, reacts),
        row(CLAIM, task, "network", "forward passes a decision", passes, reacts),
        row(CLAIM, task, "network", "gradient steps beyond the search's", trained, reacts),
    ]
    return Shown(rows, [])


def _counted(values: np.ndarray) -> Estimate:
    """A mean of counts with their range: nothing about a count is uncertain."""
    return Estimate(float(values.mean()), float(values.min()), float(values.max()), values.size)


def _fitted(task: str, e: Effort) -> Cell:
    return _cells.fit(task, e, _cells.lesson(task, e), max(e.lessons), 0)


def _network(task: str, e: Effort) -> Cell:
    return _cells.score(task, e, {"kind": "network"}, (0,), policy=_fitted(task, e))
