"""Mostly habit, with planning where it pays: as good as planning everywhere, for fewer passes."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Series
from ...stats import Estimate, bootstrap
from ..measuring import cells as shared
from ..measuring.about import About, climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed, told
from ..rows.exchange_rate import rungs

RUNG = 1
"""Networks of an early moment of training: later ones need hardly any planning."""
MATTERS, ALIKE, SAVED, BEYOND = 0.1, 0.05, 0.3, 0.02
CLAIM = {
    "name": "planning_when_needed",
    "aspect": "commentary",
    "side": "both",
    "title": "Planning when necessary",
    "statement": "Where planning everywhere gains at least 0.1 of the way over the network alone, "
    "planning only where it is expected to pay loses less than 0.05 of the way, saves at least 0.3 "
    "of the forward passes, and does better than planning as often at random.",
    "estimand": "Shares of the way and forward passes of the network alone, of guided search "
    "everywhere, and of the two with a gate between them, on the same positions.",
    "unit": "runs of expert iteration, and positions",
    "smallest": "0.1 of the way to be gained; 0.05 lost; 0.3 of the passes; 0.02 beyond chance",
    "refuted_if": "Planning gains nothing, or the gate loses more, saves less, or does no better "
    "than one that plans as often at random.",
}
PLANTED = {
    "null": {
        "planning that gains nothing": {
            "guided": (0.7, 0.0, 0.0),
            "more": {"gate": 1.0, "share": 0.2},
        },
        "a gate that opens at random": {
            "guided": (0.4, 0.0, 0.1),
            "more": {"gate": 0.5, "share": 0.5},
        },
        "a gate that is always open": {
            "guided": (0.4, 0.0, 0.1),
            "more": {"gate": 1.0, "share": 1.0},
        },
    },
    "effect": {
        "all gained at two fifths of the passes": {
            "guided": (0.4, 0.0, 0.1),
            "more": {"gate": 1.0, "share": 0.4},
        },
    },
}


def applies(it: About, e: Effort) -> str:
    """Games on which the effort runs expert iteration; a gate takes long to train."""
    if e.name == "smoke":
        return "at this effort no gate is trained"
    return climbed_only(it, e)


def cells(task: str, e: Effort) -> list[Cell]:
    """Guided search and gated planning with the same networks."""
    return [*_guided(task, e), *_gated(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What the gate loses, what it saves, and what as many plans at random would have reached."""
    guided, gated = results.tables(_guided(task, e)), results.tables(_gated(task, e))[:, 0]
    habit, full = guided[:, 0], guided[:, -1]
    low = results.low(_guided(task, e)[0])
    passes = results.tables(_guided(task, e), "evaluations")[:, -1]
    spent = results.tables(_gated(task, e), "evaluations")[:, 0]
    # A gate that never closes plans everywhere, and not more often than that.
    share = float(np.clip((spent.mean() - 1) / max(passes.mean() - 1, 1e-9), 0.0, 1.0))
    chance = share * full + (1 - share) * habit
    spread = (low - 1, 1 - low)
    who = f"gated search ({_budget(e)})"
    way: dict[str, Any] = {"unit": "of the way"}
    gains, lost = bootstrap(full - habit, bounds=spread), bootstrap(full - gated, bounds=spread)
    rows = [
        claimed(CLAIM, task, f"guided search ({_budget(e)})", "gained by planning everywhere",
                gains, above=MATTERS, **way),
        claimed(CLAIM, task, who, "lost against planning everywhere", lost, below=ALIKE, **way),
        claimed(CLAIM, task, who, "forward passes saved", _saved(spent, passes), above=SAVED,
                unit="share"),
        claimed(CLAIM, task, who, "beyond planning as often at random",
                bootstrap(gated - chance, bounds=spread), above=BEYOND, **way),
        told(CLAIM, task, who, "way reached", mean(gated, low), **way),
    ]  # fmt: skip
    points = [(1.0, habit), (float(spent.mean()), gated), (float(passes.mean()), full)]
    panel = Panel(
        title=task,
        x_label="forward passes a decision",
        y_label="way from random to optimum",
        series=[
            Series(label=label, x=[x], y=[float(y.mean())], kind="points")
            for label, (x, y) in zip(("network", "gated", "everywhere"), points, strict=True)
        ],
    )
    sentence = (
        f"On {task} planning where it pays reaches {gated.mean():.2f} of the way with "
        f"{spent.mean():.1f} forward passes a decision; everywhere, {full.mean():.2f} with "
        f"{passes.mean():.1f}; nowhere, {habit.mean():.2f}."
    )
    return Shown(rows, [panel], sentence)


def _saved(spent: np.ndarray, passes: np.ndarray) -> Estimate:
    """The share of passes saved, over positions and runs, of those of planning everywhere."""
    return bootstrap(1 - spent / passes.mean(), bounds=(0.0, 1.0))


def _budget(e: Effort) -> int:
    return int(e.dial[-1])


def _guided(task: str, e: Effort) -> list[Cell]:
    return [rungs(task, e, seed)[RUNG] for seed in range(e.ladders)]


def _gated(task: str, e: Effort) -> list[Cell]:
    who = f"{shared.SUBJECTS}:gated"
    return [
        shared.score(
            task, e, who, (_budget(e),), policy=shared.ladder(task, e, seed), rung=RUNG,
            options={"budget": _budget(e)}, key=100 + seed, timed=False,
        )
        for seed in range(e.ladders)
    ]  # fmt: skip
