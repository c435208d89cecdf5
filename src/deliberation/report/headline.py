"""The two curves that cross: what search and a learned function reach, and what each costs.

Composed from what the claims measured: score against the budget of a decision, and the number of
decisions n* after which learning has paid.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from ..runs.findings import Finding, Panel, Row, Series
from .figures import Mark
from .numbers import Number, bound_of, number

SCORES, COSTS, LEARNED, WORTH = "budget_slope", "runtime_cost", "data_slope", "search_equivalent"
"""The claims whose figures and rows are put together here; any but the first may be missing."""
PAID = "n*"
SEARCH, NETWORK = "search", "network"


class Headline(NamedTuple):
    """One task's pair of curves, what they say, and what that means for a choice."""

    task: str
    panels: tuple[tuple[Panel, tuple[Mark, ...]], ...]
    said: str
    advice: str


class Crossing(NamedTuple):
    """Where search's curve passes the network's score: at `x` simulations, from `low` to `high`.

    `x` is None where it never does: search is better at its least budget (`above`), or worse at
    its largest, `most`, where it scores `last`. `reached` is the network's score.
    """

    x: float | None
    low: float
    high: float
    reached: float
    last: float
    most: float
    above: bool


def headlines(findings: Sequence[Finding]) -> list[Headline]:
    """The curves of every task on which search was scored over its budgets."""
    costs = {panel.title: panel for panel in _panels(findings, COSTS)}
    best = {panel.title: _last(panel) for panel in _panels(findings, LEARNED)}
    made = []
    for panel in _panels(findings, SCORES):
        if not any(series.label == SEARCH for series in panel.series):
            continue
        task = panel.title
        scores = _with_network(panel, best.get(task))
        worth = [row for row in _rows(findings, WORTH, task) if row.unit == "simulations"]
        met = crossing(scores, worth[0] if worth else None)
        made.append(_headline(scores, met, costs.get(task), _rows(findings, COSTS, task)))
    return made


def _rows(findings: Sequence[Finding], claim: str, task: str) -> list[Row]:
    return [r for f in findings if f.claim == claim for r in f.rows if r.task == task]


def _panels(findings: Sequence[Finding], claim: str) -> list[Panel]:
    return [p for f in findings if f.claim == claim for figure in f.figures for p in figure.panels]


def foremost(made: Sequence[Headline]) -> int:
    """Which is shown first: the first that has both curves."""
    both = (i for i, one in enumerate(made) if len(one.panels[0][0].series) > 1)
    return next(both, 0)


def crossing(panel: Panel, worth: Row | None = None) -> Crossing | None:
    """Where search comes to score what the network scores; None without a network.

    `worth` is the row that measured it, with its interval; else it is read off the curves.
    """
    series = {one.label: one for one in panel.series}
    search, network = series.get(SEARCH), series.get(NETWORK)
    if search is None or network is None or not network.y:
        return None
    level, y = float(np.mean(network.y)), np.maximum.accumulate(search.y)
    least, most = float(search.x[0]), float(search.x[-1])
    x = _read(search.x, y, level) if worth is None else worth.estimate
    low, high = (x, x) if worth is None else (worth.low, worth.high)
    met = least <= x <= most
    return Crossing(
        x=x if met else None, low=low, high=high, reached=level, last=float(search.y[-1]),
        most=most, above=x < least,
    )  # fmt: skip


def _read(xs: Sequence[float], y: np.ndarray, level: Number) -> float:
    """Where a curve that does not fall first reaches a level, in log2 of x; 0 before it begins."""
    if y[0] >= level or y[-1] < level:
        return 0.0 if y[0] >= level else math.inf
    at = int(np.argmax(y >= level))
    left, right = math.log2(xs[at - 1]), math.log2(xs[at])
    return float(2 ** (left + (level - y[at - 1]) / (y[at] - y[at - 1]) * (right - left)))


def _headline(
    scores: Panel, met: Crossing | None, costs: Panel | None, rows: Sequence[Row]
) -> Headline:
    paid = _paid(rows)
    marks: tuple[Mark, ...] = ()
    if met and met.x is not None:
        marks = (Mark(met.x, met.reached, f"{_round(met.x)} simulations"),)
    first = msgspec.structs.replace(scores, title="How good a decision is")
    panels: list[tuple[Panel, tuple[Mark, ...]]] = [(first, marks)]
    if costs is not None:
        panels.append((msgspec.structs.replace(costs, title=_COSTS_TITLE), _price(costs, paid)))
    said = f"On {scores.title} {_said(met)}{_pays(met, paid, rows)}"
    return Headline(scores.title, tuple(panels), said, _advice(met, paid))


_COSTS_TITLE = "What all decisions cost together"


def _last(panel: Panel) -> Series | None:
    """The network fitted to the most data: the last point of its curve."""
    curve = next((one for one in panel.series if one.label == NETWORK), None)
    if curve is None:
        return None
    low, high = (None if ends is None else ends[-1:] for ends in (curve.low, curve.high))
    return msgspec.structs.replace(curve, x=curve.x[-1:], y=curve.y[-1:], low=low, high=high)


def _with_network(panel: Panel, best: Series | None) -> Panel:
    """The network over all budgets: it has none, so that its line is level."""
    xs = next(one.x for one in panel.series if one.label == SEARCH)
    network = best or next((one for one in panel.series if one.label == NETWORK), None)
    others = [one for one in panel.series if one.label != NETWORK]
    return msgspec.structs.replace(
        panel, series=others if network is None else [*others, _level(network, xs)]
    )


def _level(series: Series, xs: Sequence[float]) -> Series:
    def same(values: Sequence[float] | None) -> list[float] | None:
        return None if not values else [float(np.mean(values))] * 2

    return Series(
        label=series.label, x=[min(xs), max(xs)], y=same(series.y) or [],
        low=same(series.low), high=same(series.high),
    )  # fmt: skip


def _paid(rows: Sequence[Row]) -> Row | None:
    """n* by the clock, or else by operations."""
    found = [row for row in rows if row.quantity.startswith(PAID)]
    return next((row for row in found if row.timing), found[0] if found else None)


def _price(costs: Panel, paid: Row | None) -> tuple[Mark, ...]:
    if paid is None or not math.isfinite(paid.estimate) or len(costs.series) < 2:
        return ()
    x, line = paid.estimate, costs.series[0]
    if not line.x[0] <= x <= line.x[-1]:
        return ()
    y = float(np.exp(np.interp(math.log(x), np.log(line.x), np.log(line.y))))
    return (Mark(x, y, f"n* ≈ {bound_of(paid)}{_round(x)}"),)


def _said(met: Crossing | None) -> str:
    """How good both are, as what follows the name of a task."""
    if met is None:
        return "only search was measured: there is no network to compare it with."
    level = f"{met.reached:.2f} of the way from random to optimum"
    if met.above:
        return f"search with a single simulation already chooses better than the network ({level})."
    if met.x is None:
        return (
            f"the network ({level}) chooses better than search with as many as "
            f"{number(met.most)} simulations ({met.last:.2f})."
        )
    return (
        f"the network, at once, chooses as well as search with about {_round(met.x)} simulations"
        f"{_span(met.low, met.high, met.most)}: {level}."
    )


def _pays(met: Crossing | None, paid: Row | None, rows: Sequence[Row]) -> str:
    """After how many decisions learning has paid; empty where that was not measured."""
    if paid is None or met is None:
        return ""
    how = "by the clock" if paid.timing else "in operations"
    other = next((r for r in rows if r.quantity.startswith(PAID) and r.timing != paid.timing), None)
    more = (
        f" ({_times(other)} if of search only the rules' operations are counted)"
        if other and paid.timing
        else ""
    )
    if not math.isfinite(paid.estimate):
        return f" Search as good costs no more {how}, so that learning never pays{more}."
    span = _span(paid.low, paid.high)
    after = f"n* ≈ {bound_of(paid)}{_round(paid.estimate)} decisions{span}"
    return f" Learning has paid after {after}{more}."


def _span(low: Number, high: Number, most: Number = math.inf) -> str:
    """An interval in brackets; what lies beyond everything tried is only "more"."""
    if math.isnan(low + high) or low == high:
        return ""
    top = f"over {number(most)}" if math.isfinite(most) and high > most else _round(high)
    return f" [{_round(low)}, {top}]"


def _times(row: Row) -> str:
    if not math.isfinite(row.estimate):
        return "never"
    return f"after {bound_of(row)}{_round(row.estimate)}"


def _advice(met: Crossing | None, paid: Row | None) -> str:
    """What it means for someone who has to choose."""
    if met is None:
        return "To choose, a learned policy would have to be scored on the same dial."
    if met.above:
        return "Here search is both the better choice and needs no training."
    better = (
        "No budget that was tried makes search better."
        if met.x is None
        else f"For better decisions than that, search with more than {_round(met.x)} simulations."
    )
    if paid is None:
        return better
    if not math.isfinite(paid.estimate):
        return f"If that is good enough, search. {better}"
    n = _round(paid.estimate)
    if bound_of(paid) == "at most ":
        return f"More than {n} decisions to make: learn first. {better}"
    return f"Fewer than {n} decisions to make: search. More: learn first. {better}"


def _round(value: Number) -> str:
    """Two significant digits: none of these numbers is known better."""
    if not math.isfinite(value):
        return number(value)
    size = abs(value)
    if size < 10:
        return number(value, 1 if size != round(size) else 0)
    places = 1 - math.floor(math.log10(size))
    return number(round(value, places), 0)
