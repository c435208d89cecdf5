"""Item 23: searching a solution space against learning an approximator, counted."""

from typing import Any

import numpy as np

from ..runs import Cell
from ..stats import Estimate, judge
from . import _cells
from ._effort import Effort
from ._results import CLOCK, OWN_WORD, Results, Shown, row, timed

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
    called = _counted(results.table(search, "model_steps")[-1])
    unfitted = _counted(results.spent(search)["fits"])
    unused = _counted(results.table(network, "model_steps")[0])
    passes = _counted(results.table(network, "evaluations")[0])
    fits = _counted(results.spent(_fitted(task, e))["fits"])
    calls, steps, none = "model steps a decision", "gradient steps", (0, 0)
    forward = "forward passes a decision"
    searcher, learner = f"search ({e.budgets[-1]})", "network"
    rows = [
        row(CLAIM, task, searcher, calls, called, judge(called, above=0), note=OWN_WORD),
        row(CLAIM, task, searcher, steps, unfitted, judge(unfitted, within=none)),
        row(CLAIM, task, learner, calls, unused, judge(unused, within=none), note=OWN_WORD),
        row(CLAIM, task, learner, forward, passes, judge(passes, within=(1, 1)), note=OWN_WORD),
        row(CLAIM, task, learner, steps, fits, judge(fits, above=0)),
        *(
            row(CLAIM, task, who, "ms a decision", timed(times), timing=True, note=CLOCK)
            for who, times in (
                (searcher, results.table(search, "milliseconds")[-1]),
                (learner, results.table(network, "milliseconds")[0]),
            )
        ),
    ]
    return Shown(rows, [])


def _counted(counts: Any) -> Estimate:
    """A mean of counts with their range: nothing about a count is uncertain."""
    values = np.atleast_1d(np.asarray(counts, float))
    return Estimate(float(values.mean()), float(values.min()), float(values.max()), values.size)


def _fitted(task: str, e: Effort) -> Cell:
    return _cells.fit(task, e, _cells.lesson(task, e), max(e.lessons), 0)


def _network(task: str, e: Effort) -> Cell:
    return _cells.score(task, e, {"kind": "network"}, (0,), policy=_fitted(task, e))
