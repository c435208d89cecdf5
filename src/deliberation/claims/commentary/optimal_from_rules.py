"""Optimal play from the rules alone, given enough compute."""

from ...runs import Cell, Panel
from ..measuring import cells as shared
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve, mean, percent
from ..measuring.rows import check, claimed

ENOUGH = 0.98
CLAIM = {
    "name": "optimal_from_rules",
    "aspect": "commentary",
    "side": "direct",
    "title": "Optimal play from the rules alone",
    "statement": "With 1,024 simulations a decision (256 at the smallest effort) search plays all "
    "but optimally knowing nothing but the rules: over positions of every kind, contested or not, "
    "it loses less than a fiftieth of what random play loses.",
    "estimand": "Share of the way from random play to the optimum at the largest budget, over "
    "positions contested or not, one of each class up to symmetry.",
    "unit": "positions",
    "smallest": "0.98 of the way",
    "refuted_if": "The share lies below 0.98: that many simulations are not enough.",
}

PLANTED = {
    "null": {"a search that settles short": {"everywhere": (0.95, 0.0)}},
    "effect": {"half of what the claim allows is missing": {"everywhere": (0.99, 0.0)}},
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search on positions of every kind at large budgets, without data or fits."""
    return [_search(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What is lost at the largest budget; that no data were used is an instrument check."""
    cell, budgets = _search(task, e), _budgets(e)
    table, low = results.table(cell), results.low(cell)
    last, data = mean(table[-1], low), float(results.spent(cell)["data"])
    who = f"search ({budgets[-1]})"
    rows = [
        claimed(
            CLAIM, task, who, "way reached on any position", last,
            above=ENOUGH, unit="of the way",
        ),
        check(
            CLAIM, task, who, "training examples used", type(last)(data, data, data, 1),
            within=(0, 0),
        ),
    ]  # fmt: skip
    panel = Panel(
        title=task,
        x_label="simulations a decision",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[curve("search", budgets, list(table), low)],
    )
    sentence = (
        f"On {task} search with {budgets[-1]} simulations goes {percent(last)} of the way on "
        f"{table.shape[1]:,} positions."
    )
    return Shown(rows, [panel], sentence)


def _budgets(e: Effort) -> tuple[int, ...]:
    return tuple(b for b in (16, 64, 256, 1024, 4096) if b <= max(256, e.budgets[-1]))


def _search(task: str, e: Effort) -> Cell:
    return shared.score(
        task, e, f"{shared.SUBJECTS}:planner", _budgets(e), which="any", timed=False
    )
