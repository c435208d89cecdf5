"""Solving on the fly against evaluating what was learned: an objective nobody has seen before."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Row
from ...stats import Estimate, bootstrap
from ..measuring import trials
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean, series_of, way_panel
from ..measuring.rows import check, claimed, told

ENOUGH = 0.5
WHO = {"planner": f"search ({trials.FIRM})", "network": "network"}
BATCHES = {
    "permuted": "answers that are the same in another order of the batch",
    "alone": "answers that are the same among copies of the position",
    "again": "answers that are the same when asked again",
}
CLAIM = {
    "name": "on_the_fly",
    "aspect": "problem_solving",
    "side": "both",
    "title": "Problem solving: on the fly, or by what was learned",
    "statement": "Handed an objective that it has never met, search goes at least half of the way "
    "to the new optimum at once. A network cannot be handed one: that it stays with the old is an "
    "instrument check.",
    "estimand": "Share of the way from random play to the optimum of the new objective (goal and "
    "pit exchanged, or all rewards negated), of decisions in positions where it matters under both "
    "objectives what is done, none of them trained on; and the network's way by the old one.",
    "unit": "trainings and positions",
    "smallest": "0.5 of the way",
    "refuted_if": "Search goes less than half of the new way.",
}
PLANTED = {
    "null": {
        "a search that does not follow": {"more": {"search_told": (0.9, 0.0, 0.0)}},
        "a search that plays at random": {"more": {"search_told": (0.0, 0.0, 0.0)}},
    },
    "effect": {
        "search nearly all the way, a network twice its least": {
            "more": {"search_told": (0.9, 0.95, 0.2), "network_told": (0.2, 0.0)}
        }
    },
}
applies = trials.swaps_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search and the networks fitted to the most data, told either objective."""
    return [trials.told_both(task, e, who) for who in ("planner", "network")]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Ways by both objectives; that a network does not heed them is an instrument check."""
    lows = results.outcomes(trials.swapped_positions(task, e))["low"]
    found = {who: results.outcomes(trials.told_both(task, e, who)) for who in WHO}
    way = {
        (who, judged): mean(np.array(found[who]["way"][judged][judged]), lows[judged])
        for who in WHO
        for judged in ("own", "other")
    }
    new, old = "way by the new objective", "way by the old objective"
    share = results.outcomes(trials.swapped_positions(task, e))["share"]
    note = f"it matters under both in {100 * share:.0f} % of all positions"
    direct: dict[str, Any] = {"unit": "of the way", "side": "direct", "over": "positions"}
    learned: dict[str, Any] = {"unit": "of the way", "side": "amortised"}
    rows = [
        claimed(CLAIM, task, WHO["planner"], new, way["planner", "other"], above=ENOUGH,
                note=note, **direct),
        told(CLAIM, task, "network", new, way["network", "other"],
              note="good play by the old objective, unchanged", **learned),
        told(CLAIM, task, "network", old, way["network", "own"], **learned),
        told(CLAIM, task, WHO["planner"], f"{old}, told that one", way["planner", "own"], **direct),
        check(
            CLAIM, task, "network", "answers that stay the same under another objective",
            _all(found["network"]["kept"]), within=(1 - 1e-9, 1 + 1e-9), side="amortised",
            note="a network is not told what is wanted",
        ),
        *(row for who in WHO for row in _batches(task, who, found[who]["batches"])),
    ]  # fmt: skip
    sentence = (
        f"On {task}, told a new objective, search goes {way['planner', 'other'].estimate:.2f} of "
        f"the way to its optimum; the network, {way['network', 'own'].estimate:.2f} of the way to "
        f"the old one, goes {way['network', 'other'].estimate:.2f} of the new."
    )
    return Shown(rows, [_panel(task, way)], sentence)


def _all(values: list) -> Estimate:
    """A share of ones that needs no interval where it is a fact of the instrument."""
    flat = np.ravel(np.asarray(values, float))
    share = float(flat.mean())
    return Estimate(share, share, share, flat.size) if share == 1 else bootstrap(flat)


def _batches(task: str, who: str, found: dict[str, list[float]]) -> list[Row]:
    side = "direct" if who == "planner" else "amortised"
    return [
        check(
            CLAIM, task, WHO[who], quantity, _all(found[name]), within=(1 - 1e-9, 1 + 1e-9),
            side=side, over="positions", note="keys travel with their positions",
        )
        for name, quantity in BATCHES.items()
    ]  # fmt: skip


def _panel(task: str, way: dict[tuple[str, str], Estimate]) -> Panel:
    series = [
        series_of(WHO[who], (0, 1), [way[who, judged] for judged in ("own", "other")])
        for who in WHO
    ]
    x_label = "objective (0: the old one, 1: the new one)"
    return way_panel(task, x_label, series, "way from random to its optimum")
