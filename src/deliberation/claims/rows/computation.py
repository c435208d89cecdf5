"""Searching a solution space against learning an approximator, counted."""

from typing import Any

import numpy as np

from ...runs import Cell
from ...stats import Estimate
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import CLOCK, OWN_WORD, Results, Shown, timed
from ..measuring.rows import check, told

CLAIM = {
    "name": "computation",
    "aspect": "computation",
    "side": "both",
    "title": "What is computed: search, or a learned function",
    "statement": "Direct: the model is called at decision time and nothing is fitted. Amortised: "
    "gradient steps before, one forward pass and no call of the model at decision time.",
    "estimand": "Counts for a decision and for a training; an instrument check, true by "
    "construction where the books are kept well.",
    "unit": "positions",
    "smallest": "one call",
    "refuted_if": "Search decides without calling its model, or needs a fit; or the network "
    "calls a model when it decides, or needs no fit.",
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search from the rules, and the network fitted to the most data."""
    return [shared.planner_score(task, e), _fitted(task, e), _network(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Counts of both sides; a decision is one position at the largest budget."""
    search, network = shared.planner_score(task, e), _network(task, e)
    called = _counted(results.table(search, "model_steps")[-1])
    unfitted = _counted(results.spent(search)["fits"])
    unused = _counted(results.table(network, "model_steps")[0])
    passes = _counted(results.table(network, "evaluations")[0])
    fits = _counted(results.spent(_fitted(task, e))["fits"])
    searcher, learner = f"search ({e.budgets[-1]})", "network"
    calls, steps, forward = "model steps a decision", "gradient steps", "forward passes a decision"
    direct: dict[str, Any] = {"side": "direct"}
    amortised: dict[str, Any] = {"side": "amortised"}
    rows = [
        check(CLAIM, task, searcher, calls, called, above=0, note=OWN_WORD, **direct),
        check(CLAIM, task, searcher, steps, unfitted, within=(0, 0), **direct),
        check(CLAIM, task, learner, calls, unused, within=(0, 0), note=OWN_WORD, **amortised),
        check(CLAIM, task, learner, forward, passes, within=(1, 1), note=OWN_WORD, **amortised),
        check(CLAIM, task, learner, steps, fits, above=0, **amortised),
        *(
            told(CLAIM, task, who, "time a decision", timed(times), timing=True, note=CLOCK,
                 unit="ms", side=side)
            for who, side, times in (
                (searcher, "direct", results.outcomes(search)["milliseconds"][-1]),
                (learner, "amortised", results.outcomes(network)["milliseconds"][0]),
            )
        ),
    ]  # fmt: skip
    sentence = (
        f"On {task} search makes {called.estimate:,.0f} model steps a decision and no gradient "
        f"step; the network {fits.estimate:,.0f} gradient steps before, then one forward pass."
    )
    return Shown(rows, [], sentence)


def _counted(counts: Any) -> Estimate:
    """A mean of counts, exact: it is of the decisions that were counted, and of no others."""
    values = np.atleast_1d(np.asarray(counts, float))
    mean = float(values.mean())
    return Estimate(mean, mean, mean, values.size)


def _fitted(task: str, e: Effort) -> Cell:
    return students.taught(task, e, students.most(task, e))[0]


def _network(task: str, e: Effort) -> Cell:
    return shared.score(task, e, f"{shared.SUBJECTS}:network", (0,), policy=_fitted(task, e))
