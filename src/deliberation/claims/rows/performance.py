"""Which side is ahead, in simple worlds and in rich ones, and where the curves cross."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Reference, Row
from ...stats import Estimate
from ..measuring import knobs as turned
from ..measuring.effort import Effort
from ..measuring.knobs import Knob
from ..measuring.results import Results, Shown, series_of
from ..measuring.rows import claimed, told

SMALLEST = 0.1
CLAIM = {
    "name": "performance",
    "aspect": "performance",
    "side": "both",
    "title": "Performance: ahead in simple worlds, behind in rich ones",
    "statement": "With each step of a knob that has degrees, from simple to rich, search that may "
    "take equally long for a decision loses at least 0.1 of the way against a network that was "
    "taught in the same way everywhere.",
    "estimand": "Slope over the steps of a knob of the difference between the shares of the way "
    "to the optimum: search in the time that 64 simulations take at the simplest setting, less "
    "networks, which take less time, fitted to answers of a search (equally many where there are "
    "so many), in positions or, where their values are not known, in episodes.",
    "unit": "trainings and positions (or episodes)",
    "smallest": "0.1 of the way a step",
    "refuted_if": "The difference falls by less than 0.1 of the way a step: then richness favours "
    "neither side, or search.",
}
PLANTED = {
    "null": {
        "a knob that makes no difference": {"more": {"richer": 0.0}},
        "a knob that favours search": {"more": {"richer": 0.1}},
    },
    "effect": {"twice the smallest": {"search": (0.3, 0.1), "more": {"richer": -0.2}}},
}
applies, ONCE = turned.family_only, True


def cells(task: str, e: Effort) -> list[Cell]:
    """Search and networks at every setting of every knob."""
    del task
    return [cell for knob in turned.graded(e) for cell in turned.knob_cells(knob, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """How the difference changes along each knob, and where it is zero."""
    rows, panels, sentences = [], [], []
    for knob in turned.graded(e):
        search, network, ahead = turned.ways(knob, e, results)
        slope, cross = turned.per_step(ahead), turned.crossing(knob, ahead)
        who = f"search - network, {knob.label}"
        rows += [
            _row(knob, task, who, slope),
            told(CLAIM, task, who, f"{knob.label} at which the curves cross", cross, timing=True),
        ]
        panels.append(_panel(knob, search, network))
        sentences.append(_sentence(knob, ahead, cross))
    return Shown(rows, panels, " ".join(sentences))


def _row(knob: Knob, task: str, who: str, slope: Estimate) -> Row:
    """What is claimed of a knob that has degrees is only told of one that is on or off."""
    quantity = f"way gained on the network a step of {knob.label}"
    note = f"{knob.adjective}: {', '.join(f'{x:g}' for x in knob.settings)}"
    # Read off at equal time, which is measured.
    said: dict[str, Any] = {"unit": "of the way a step", "note": note, "timing": True}
    if knob.degrees:
        return claimed(CLAIM, task, who, quantity, slope, below=-SMALLEST, **said)
    return told(CLAIM, task, who, quantity, slope, **said)


def _sentence(knob: Knob, ahead: list[Estimate], cross: Estimate) -> str:
    first, last = ahead[0].estimate, ahead[-1].estimate
    inside = knob.settings[0] <= cross.estimate <= knob.settings[-1]
    where = f"they cross near {cross.estimate:.2g}" if inside else "they do not cross"
    return (
        f"From {knob.label} {knob.settings[0]:g} to {knob.settings[-1]:g} search goes from "
        f"{first:+.2f} of the way ahead of the network to {last:+.2f}; {where}."
    )


def _panel(knob: Knob, search: list[Estimate], network: list[Estimate]) -> Panel:
    return Panel(
        title=f"gridworld, {knob.label}",
        x_label=knob.label,
        y_label="way from random to optimum",
        series=[
            series_of("search, equally long", knob.settings, search),
            series_of("network", knob.settings, network),
        ],
        references=[Reference(label="optimum", y=1.0)] if np.isfinite(search[0].estimate) else [],
    )
