"""Item 24: the price of a decision, and after how many decisions learning has paid (item 6)."""

import numpy as np

from ..runs import Cell, Panel, Series
from ..stats import Estimate, bootstrap, break_even, judge
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, row

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
    return [_cells.uct_score(task, e), *_students.scored(task, e, max(e.lessons))]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Costs at the measured budget nearest above the network's search-equivalent."""
    search = _cells.uct_score(task, e)
    networks = _students.scored(task, e, max(e.lessons))
    equal = _students.equivalent(task, e, results).estimate
    at = next((i for i, b in enumerate(e.budgets) if b >= equal), len(e.budgets) - 1)
    budget = e.budgets[at]
    steps, passes = results.table(search, "model_steps")[at], _passes(results, networks)
    calls = bootstrap(steps / passes.mean())
    slow = results.table(search, "milliseconds")[at]
    fast = results.tables(networks, "milliseconds")[:, 0].mean(0)
    ratio = _ratio(slow, fast)
    training = [_training(results, task, e, seed) for seed in range(e.seeds)]
    counted = break_even(np.array([t[0] for t in training]), steps, passes)
    timed = break_even(np.array([1e3 * t[1] for t in training]), slow, fast)
    who = f"search ({budget}) / network"
    rows = [
        row(CLAIM, task, who, "calls a decision, ratio", calls, judge(calls, above=1)),
        row(CLAIM, task, who, "n*, in calls", counted),
        row(CLAIM, task, who, "ms a decision, ratio", ratio, judge(ratio, above=1), timing=True),
        row(CLAIM, task, who, "n*, in seconds", timed, timing=True),
    ]
    return Shown(rows, [_panel(task, training, slow, fast, budget)], _sentence(task, rows))


def _passes(results: Results, networks: list[Cell]) -> np.ndarray:
    return results.tables(networks, "evaluations")[:, 0].mean(0)


def _ratio(slow: np.ndarray, fast: np.ndarray) -> Estimate:
    # Times of one batch are the same for all of its rows: the ratio is one number, known as it is.
    value = float(slow.mean() / fast.mean())
    chunks = slow / fast.mean()
    return Estimate(value, float(chunks.min()), float(chunks.max()), len(slow))


def _training(results: Results, task: str, e: Effort, seed: int) -> tuple[float, float]:
    """(calls, seconds) of teaching and fitting one network."""
    lesson = results.spent(_cells.lesson(task, e))
    fitted = results.spent(_students.taught(task, e, max(e.lessons))[seed])
    calls = lesson["model_steps"] + fitted["network_evaluations"]
    return float(calls), float(lesson["seconds"] + fitted["seconds"])


def _panel(task: str, training: list, slow: np.ndarray, fast: np.ndarray, budget: int) -> Panel:
    decisions = np.logspace(0, 7, 29)
    invested = float(np.mean([t[1] for t in training]))
    return Panel(
        title=task,
        x_label="decisions",
        y_label="seconds in all",
        x_scale="log10",
        y_scale="log10",
        series=[
            Series(
                label=f"search ({budget} simulations)",
                x=decisions.tolist(),
                y=(decisions * slow.mean() / 1e3).tolist(),
            ),
            Series(
                label="network, training included",
                x=decisions.tolist(),
                y=(invested + decisions * fast.mean() / 1e3).tolist(),
            ),
        ],
    )


def _sentence(task: str, rows: list) -> str:
    calls, counted = rows[0], rows[1]
    return (
        f"On {task} search of the network's strength makes {calls.estimate:.0f} calls where the "
        f"network makes one; learning has paid after {counted.estimate:,.0f} decisions by calls."
    )
