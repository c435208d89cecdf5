"""Item 24: the price of a decision, and after how many decisions learning has paid (item 6)."""

from collections.abc import Callable, Sequence

import numpy as np

from ..runs import Cell, Panel, Series
from ..stats import Estimate, bootstrap, break_even, judge
from . import _cells, _students
from ._effort import Effort
from ._results import OWN_WORD, Results, Shown, row, timed

CLAIM = {
    "name": "runtime_cost",
    "item": 24,
    "title": "Runtime cost, and the decisions after which learning has paid",
    "statement": "At the same score a decision costs more by search than by one forward pass, so "
    "that learning pays after a number n* of decisions.",
    "refuted_if": "The interval of the cost ratio, search to network at equal score, lies at or "
    "below 1.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Unguided search over its budgets, and the networks fitted to the most data."""
    return _students.search_and_best(task, e)


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Costs where search scores what the network scores, over the whole interval of that budget.

    Calls are counted by the deciders themselves; times are measured from outside, beside them.
    """
    search = _cells.uct_score(task, e)
    networks = _students.scored(task, e, max(e.lessons))
    worth = _students.equivalent(task, e, results)
    steps = _price(results.table(search, "model_steps"), e.budgets, worth, _counted)
    passes = _counted(results.tables(networks, "evaluations")[:, 0])
    slow = _price(results.table(search, "milliseconds"), e.budgets, worth, timed)
    fast = timed(results.tables(networks, "milliseconds")[:, 0])
    calls, ratio = _ratio(steps, passes), _ratio(slow, fast)
    training = np.array([_training(results, task, e, seed) for seed in range(e.seeds)])
    counted = break_even(training[:, 0], steps, passes)
    in_seconds = break_even(1e3 * training[:, 1], slow, fast)
    who = "search / network, at equal score"
    note = f"the network is worth {_students.reached(worth, e.budgets)} simulations; {OWN_WORD}"
    rows = [
        row(CLAIM, task, who, "calls a decision, ratio", calls, judge(calls, above=1), note=note),
        row(CLAIM, task, who, "n*, in calls", counted),
        row(CLAIM, task, who, "ms a decision, ratio", ratio, judge(ratio, above=1), timing=True),
        row(CLAIM, task, who, "n*, in seconds", in_seconds, timing=True),
    ]
    panel = _panel(task, float(training[:, 1].mean()), slow.estimate, fast.estimate)
    return Shown(rows, [panel], _sentence(task, calls, counted))


def _price(
    costs: np.ndarray,
    budgets: Sequence[int],
    worth: Estimate,
    average: Callable[[np.ndarray], Estimate],
) -> Estimate:
    """The cost of a decision at the search-equivalent, from costs [budgets, positions].

    Its interval reaches from the measured budget below that of the equivalent to the one above;
    where the equivalent lies beyond what was tried, so does the cost.
    """
    last = len(budgets) - 1
    at = next((i for i, b in enumerate(budgets) if b >= worth.estimate), last)
    below = [i for i, b in enumerate(budgets) if b <= worth.low]
    above = [i for i, b in enumerate(budgets) if b >= worth.high]
    middle = average(costs[at])
    low = min(middle.low, average(costs[below[-1]]).low) if below else 0.0
    high = max(middle.high, average(costs[above[0]]).high) if above else float("inf")
    return Estimate(middle.estimate, low, high, middle.n)


def _counted(counts: np.ndarray) -> Estimate:
    """The mean of counts, exact where all are the same."""
    if np.ptp(counts) == 0:
        same = float(counts.flat[0])
        return Estimate(same, same, same, counts.size)
    return bootstrap(counts)


def _ratio(slow: Estimate, fast: Estimate) -> Estimate:
    """Of two costs, from the ends of their intervals."""
    return Estimate(
        slow.estimate / fast.estimate, slow.low / fast.high, slow.high / fast.low, slow.n
    )


def _training(results: Results, task: str, e: Effort, seed: int) -> tuple[float, float]:
    """(calls, seconds) of teaching and fitting one network."""
    lesson = results.spent(_cells.lesson(task, e))
    fitted = results.spent(_students.taught(task, e, max(e.lessons))[seed])
    calls = lesson["model_steps"] + fitted["network_evaluations"]
    return float(calls), float(lesson["seconds"] + fitted["seconds"])


def _panel(task: str, invested: float, slow: float, fast: float) -> Panel:
    decisions = np.logspace(0, 7, 29)
    return Panel(
        title=task,
        x_label="decisions",
        y_label="seconds in all",
        x_scale="log10",
        y_scale="log10",
        series=[
            Series(
                label="search of the same score",
                x=decisions.tolist(),
                y=(decisions * slow / 1e3).tolist(),
            ),
            Series(
                label="network, training included",
                x=decisions.tolist(),
                y=(invested + decisions * fast / 1e3).tolist(),
            ),
        ],
    )


def _sentence(task: str, calls: Estimate, counted: Estimate) -> str:
    if not np.isfinite(counted.estimate):
        return f"On {task} the network's decisions are not known to cost fewer calls than search's."
    return (
        f"On {task} search of the network's strength makes about {calls.estimate:.0f} calls "
        "where the network makes one; learning has paid after "
        f"{counted.estimate:,.0f} decisions by calls."
    )
