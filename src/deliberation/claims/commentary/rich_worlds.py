"""Search is feasible in simple worlds and unwieldy in rich ones: one knob at a time, ranked."""

from ...runs import Cell, Panel, Row
from ...stats import Estimate, weighted_sum
from ..measuring import knobs as turned
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, series_of
from ..measuring.rows import claimed, told

SMALLEST = 0.1
CLAIM = {
    "name": "rich_worlds",
    "aspect": "commentary",
    "side": "direct",
    "title": "Search is unwieldy in rich worlds",
    "statement": "Turning any one knob from simple to rich costs search with a fixed budget at "
    "least 0.1 of the way to the optimum.",
    "estimand": "Share of the way of search with 64 simulations a decision at the simplest setting "
    "of a knob less that at its richest.",
    "unit": "positions",
    "smallest": "0.1 of the way",
    "refuted_if": "The loss lies short of 0.1 of the way: that adjective does not make search "
    "unwieldy.",
}
PLANTED = {
    "null": {
        "a knob that makes no difference": {"more": {"richer": 0.0}},
        "random play in place of search": {"search": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"search": (0.3, 0.1), "more": {"richer": -0.2}}},
}
applies, ONCE = turned.family_only, True


def cells(task: str, e: Effort) -> list[Cell]:
    """Search at every setting of every knob."""
    del task
    return [turned.search(knob, name, e) for knob in turned.knobs(e) for name in knob.tasks]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What each knob costs, the dearest first."""
    found = []
    for knob in turned.knobs(e):
        search = [turned.alone(knob, name, e, results) for name in knob.tasks]
        lost = weighted_sum([search[0], search[-1]], [1.0, -1.0])
        found.append((knob, search, lost))
    found.sort(key=lambda each: -each[2].estimate)
    rows = [_lost(task, knob, lost) for knob, _, lost in found]
    panel = Panel(
        title="gridworld, one knob at a time",
        x_label="steps of a knob from simple to rich",
        y_label="way from random to optimum",
        series=[series_of(knob.label, range(len(search)), search) for knob, search, _ in found],
    )
    ranked = ", ".join(f"{knob.label} ({lost.estimate:+.2f})" for knob, _, lost in found)
    return Shown(rows, [panel], f"What search loses, the dearest knob first: {ranked} of the way.")


def _lost(task: str, knob: turned.Knob, lost: Estimate) -> Row:
    """Told where the ends are searched by different algorithms, whose budgets are not the same."""
    who = f"search ({turned.SIMULATIONS})"
    quantity = f"way lost from {knob.label} {knob.settings[0]:g} to {knob.settings[-1]:g}"
    over = "episodes" if knob.played else "positions"
    if knob.adjective == "continuous":
        return told(CLAIM, task, who, quantity, lost, unit="of the way", over=over,
                    note="tree search against the cross-entropy method")  # fmt: skip
    return claimed(CLAIM, task, who, quantity, lost, above=SMALLEST, unit="of the way", over=over,
                   note=knob.adjective)  # fmt: skip
