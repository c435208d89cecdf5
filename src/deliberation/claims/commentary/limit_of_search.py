"""The limit of search is complexity-theoretic: what better algorithms need grows with size, too."""

from typing import NamedTuple

import numpy as np

from ...runs import Cell, Panel, Row
from ...stats import Estimate, nothing, weighted_sum
from ..measuring import hardness
from ..measuring.effort import Effort
from ..measuring.hardness import LEVEL, UCT, Algorithm
from ..measuring.results import OWN_WORD, Results, Shown, quotient, series_of
from ..measuring.rows import claimed, told

SMALLEST = 0.25
FEWEST = 3
"""Sizes from which on growth is claimed of."""
CLAIM = {
    "name": "limit_of_search",
    "aspect": "commentary",
    "side": "direct",
    "title": "The limit of search is complexity-theoretic",
    "statement": "Whatever the algorithm, the rules' steps that search needs to go 0.9 of the way "
    "grow with the number of positions of the task, by an exponent of at least 0.25.",
    "estimand": "Least-squares slope of log10 of the steps a decision with which an algorithm goes "
    "0.9 of the way (a mean regret of a tenth of what is at stake), over contested positions, in "
    "log10 of the number of different positions of the task. Sizes: a room gains rows and columns, "
    "a board gains a column.",
    "unit": "positions",
    "smallest": "an exponent of 0.25: half of what remains when alpha-beta cuts all that can be "
    "cut (Knuth and Moore 1975: the square root), as 1 is to look at every position",
    "refuted_if": "An algorithm's exponent lies below 0.25: for it, size is not what limits "
    "search. Nothing is claimed of one whose steps lie beyond the budgets tried.",
}
PLANTED = {
    "null": {
        "a size that does not matter": {"search": (0.5, 0.08)},
        "a size that makes search easier": {"search": (0.5, 0.08), "more": {"larger": 0.1}},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"search": (0.5, 0.08), "more": {"larger": -0.072}}},
}
applies = hardness.sized_only


class _Grown(NamedTuple):
    """An algorithm's steps at each size, the most that were tried there, and its exponent."""

    who: Algorithm
    costs: list[Estimate]
    most: list[float]
    exponent: Estimate


def cells(task: str, e: Effort) -> list[Cell]:
    """Every algorithm at every size."""
    names = hardness.sizes(task, e)
    return [hardness.states(name, e) for name in names] + [
        cell
        for who in hardness.algorithms(task, e)
        for name in names
        for cell in hardness.scores(name, e, who)
    ]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Exponents, and what better algorithms change: the exponent, or what stands before it."""
    names = hardness.sizes(task, e)
    counts = [float(results.outcomes(hardness.states(name, e))["different"]) for name in names]
    found = []
    for who in hardness.algorithms(task, e):
        costs = [hardness.needed(name, e, who, results) for name in names]
        most = [hardness.most_tried(name, e, who, results) for name in names]
        found.append(_Grown(who, costs, most, hardness.exponent(counts, costs)))
    usual = next(each for each in found if each.who == UCT)
    rows = [
        *(
            _exponent(task, names, counts, each, single=hardness.single(e, each.who))
            for each in found
        ),
        *(row for each in found for row in _costs(task, names, each)),
        *(row for each in found if each is not usual for row in _against(task, each, usual)),
    ]
    panel = Panel(
        title=task,
        x_label="different positions",
        y_label=f"steps to go {LEVEL:g} of the way",
        x_scale="log10",
        y_scale="log10",
        series=[
            series_of(each.who.label, [counts[i] for i in kept], [each.costs[i] for i in kept])
            for each in found
            if (kept := [i for i, cost in enumerate(each.costs) if _known(cost)])
        ],
    )
    return Shown(rows, [panel], _sentence(task, names, found))


def _known(cost: Estimate) -> bool:
    return bool(np.isfinite(cost.estimate) and cost.estimate > 0)


def _exponent(
    task: str, names: tuple[str, ...], counts: list[float], each: _Grown, *, single: bool
) -> Row:
    """Claimed where every size's steps are known; else the bound, if there is one.

    With a `single` training of what guides the search its luck cannot be told from the size.
    """
    quantity, unit = "exponent of steps needed in positions", "decades a decade"
    note = f"{len(names)} sizes, {counts[0]:,.0f} to {counts[-1]:,.0f} positions"
    floored = [name for name, cost in zip(names, each.costs, strict=True) if cost.censored]
    known = all(_known(cost) for cost in each.costs)
    if known and not single and not floored and len(names) >= FEWEST:
        return claimed(CLAIM, task, each.who.label, quantity, each.exponent, above=SMALLEST,
                       unit=unit, note=f"{note}; {OWN_WORD}")  # fmt: skip
    if single:
        why = "one training a size"
    elif not known:
        why = _censored(names, each)
    elif floored:
        why = f"the smallest budget is enough on {', '.join(floored)}"
    else:
        why = f"of fewer than {FEWEST} sizes no exponent can be told"
    bound = each.exponent if np.isfinite(each.exponent.estimate) else _bound(counts, each)
    return told(CLAIM, task, each.who.label, quantity, bound, unit=unit,
                note=f"{note}; {why}: nothing is claimed")  # fmt: skip


def _bound(counts: list[float], each: _Grown) -> Estimate:
    """The exponent that there is at least, where only the largest size asks for more than tried."""
    first, last = each.costs[0], each.costs[-1]
    if not (_known(first) and np.isfinite(first.high) and np.isinf(last.estimate)):
        return nothing(first.n)
    # From the most that the smallest size may need.
    least = float(np.log(each.most[-1] / first.high) / np.log(counts[-1] / counts[0]))
    return Estimate(least, least, float("inf"), first.n)


def _censored(names: tuple[str, ...], each: _Grown) -> str:
    """Where the steps lie beyond the budgets tried, in words."""
    pairs = list(zip(names, each.costs, each.most, strict=True))
    more = [f"more than {most:,.0f} on {name}" for name, cost, most in pairs
            if np.isinf(cost.estimate)]  # fmt: skip
    less = [f"fewer than the smallest budget takes on {name}" for name, cost, _ in pairs
            if cost.estimate == 0]  # fmt: skip
    unknown = [f"an unknown number on {name}" for name, cost, _ in pairs
               if np.isnan(cost.estimate)]  # fmt: skip
    return "it needs " + ", ".join([*more, *less, *unknown])


def _costs(task: str, names: tuple[str, ...], each: _Grown) -> list[Row]:
    """Steps needed at the smallest and at the largest size, where they are known."""
    ends = {"the smallest": (names[0], each.costs[0]), "the largest": (names[-1], each.costs[-1])}
    return [
        told(CLAIM, task, each.who.label, f"steps needed at {end} size", cost,
             unit="steps a decision", note=name)
        for end, (name, cost) in ends.items()
        if _known(cost)
    ]  # fmt: skip


def _against(task: str, each: _Grown, usual: _Grown) -> list[Row]:
    """What an algorithm changes against UCT: at the smallest size, and in the exponent."""
    rows = []
    if _known(each.costs[0]) and _known(usual.costs[0]):
        rows.append(
            told(CLAIM, task, each.who.label, "steps over UCT's at the smallest size",
                 quotient(each.costs[0], usual.costs[0]), unit="times",
                 note="as if they had been measured on other positions: on the wide side")
        )  # fmt: skip
    if np.isfinite([each.exponent.estimate, usual.exponent.estimate]).all():
        apart = weighted_sum([each.exponent, usual.exponent], [1.0, -1.0])
        rows.append(
            told(CLAIM, task, each.who.label, "exponent less UCT's", apart, unit="decades a decade",
                 note="as if they had been measured on other positions: on the wide side")
        )  # fmt: skip
    return rows


def _sentence(task: str, names: tuple[str, ...], found: list[_Grown]) -> str:
    def said(each: _Grown) -> str:
        if not all(_known(cost) for cost in each.costs):
            return f"that of {each.who.label} is not known ({_censored(names, each)})"
        return f"{each.who.label} {each.exponent.estimate:.2f}"

    exponents = "; ".join(said(each) for each in found)
    return (
        f"From {names[0]} to {names[-1]} the steps needed to go {LEVEL:g} of the way grow with "
        f"the number of positions by exponents, on {task}: {exponents}."
    )
