"""The distinction beyond actions: plans, distributions and categories in one battery."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Row
from ...stats import Estimate, bootstrap
from ..measuring import trials
from ..measuring.about import once
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, series_of
from ..measuring.rows import check, claimed, told

FOLLOWS, FALLS, NEARER, CLOSER, DATA = 0.5, 0.25, 0.5, 0.1, 0.05
CLAIM = {
    "name": "outputs",
    "aspect": "commentary",
    "side": "both",
    "title": "Outputs need not be actions: plans, distributions, categories",
    "statement": "Whatever the output, a direct optimiser follows an objective that is exchanged "
    "when it is asked. A learned function does not: it follows its weights, its teacher, and the "
    "quality and coverage of its data.",
    "estimand": "Of controls, plans, Gaussian posteriors and labels, on inputs that nothing was "
    "taught on: the share of the way from what is best for another input (0) to what is best for "
    "this one (1), and distances from teachers in parts of the distance between two teachers (the "
    "direct optimiser under either objective).",
    "unit": "trainings and inputs",
    "smallest": "0.5 of the way by the new objective; "
    "0.5 of the teachers' distance nearer to one's own; 0.1 of it made up by data; 0.05 of the way "
    "lost to spoilt or one-sided data",
    "refuted_if": "The direct optimiser goes less than half of the new way; or the learned "
    "function is no nearer to its teacher than to another, comes no nearer with data, or loses "
    "nothing by worse data.",
}
WORLDS = ("action", "plan", "distribution", "category")
EXACT = ("plan", "category")
"""Kinds whose optimiser is as exact as what it is judged by."""
PLANTED = {
    "null": {
        "an optimiser that does not follow": {"more": {"swapped": 0.2}},
        "a student that does not heed its teacher": {"more": {"near": (1.0, 1.0)}},
        "data that do not matter": {"more": {"spoilt": 0.9, "halved": 0.9}},
    },
    "effect": {
        "a search that follows, and twice the least of each": {
            "more": {"swapped": 0.95, "shuffled": 0.4, "near": (0.45, 0.25), "spoilt": 0.7,
                     "halved": 0.7}
        }
    },
}  # fmt: skip
applies = once


def cells(world: str, e: Effort) -> list[Cell]:
    """Everything about a kind of output is one cell: its networks are trained side by side."""
    return [trials.put_through(world, e)]


def analyse(world: str, e: Effort, results: Results) -> Shown:
    """What the direct optimiser and the learned function of a kind of output respond to."""
    found = results.outcomes(trials.put_through(world, e))
    direct, network = found["direct"], found["network"]
    new, old = "way by the new objective", "way by the old objective"
    followed = bootstrap(np.array(direct["other"]["other"]))
    searches: dict[str, Any] = {"unit": "of the way", "side": "direct", "over": "inputs"}
    learned: dict[str, Any] = {"unit": "of the way", "side": "amortised"}
    rows = [
        _followed(world, new, followed, searches),
        told(CLAIM, world, "optimiser", old, bootstrap(np.array(direct["own"]["own"])), **searches),
        told(CLAIM, world, "network", new, bootstrap(np.array(network["other"])), **learned),
        told(CLAIM, world, "network", old, bootstrap(np.array(network["own"])), **learned),
        check(
            CLAIM, world, "optimiser", "outputs that are better than the best",
            bootstrap(np.array(found["beaten"])), within=(-0.001, 0.02), side="direct",
            over="inputs", note="the best is known exactly",
        ),
        *_of_the_function(world, e, found),
    ]  # fmt: skip
    sentence = (
        f"Of the kind {world} the optimiser goes {followed.estimate:.2f} of the way by a new "
        f"objective and the network {np.mean(network['other']):.2f}, after "
        f"{np.mean(network['own']):.2f} by the old one."
    )
    return Shown(rows, [_panel(world, e, found)], sentence)


def _followed(world: str, quantity: str, way: Estimate, said: dict[str, Any]) -> Row:
    """Claimed where the optimiser is not the exact solver under another name."""
    if world in EXACT:
        return check(CLAIM, world, "optimiser", quantity, way, within=(FOLLOWS, 1.001), **said,
                     note="here the optimiser looks at every output")  # fmt: skip
    return claimed(CLAIM, world, "optimiser", quantity, way, above=FOLLOWS, **said)


def _of_the_function(world: str, e: Effort, found: dict[str, Any]) -> list[Row]:
    """Rows of what the learned function follows instead."""
    own = np.array(found["network"]["own"])
    near, far = (
        np.stack(list(found[name].values())).mean(0) for name in ("from_own", "from_other")
    )
    apart = np.array(found["apart"])
    left = {name: np.array(way) for name, way in found["left_out"].items()}
    counts = trials.STUDENTS[e.name]["counts"]
    lost: dict[str, Any] = {"unit": "of the way", "side": "amortised"}
    parts: dict[str, Any] = {"unit": "of the teachers' distance", "side": "amortised"}
    return [
        check(
            CLAIM, world, "network", "way lost when the last weights are shuffled",
            _gap(own, found["shuffled"]), within=(FALLS, np.inf), **lost,
            note="a network that learned anything",
        ),
        claimed(
            CLAIM, world, "network", "how much nearer it is to its own teacher than to another",
            _gap(far, near), above=NEARER, **parts, note="students of two teachers",
        ),
        claimed(
            CLAIM, world, "network", "distance from its teacher that data make up",
            _gap(apart[0], apart[-1]), above=CLOSER, **parts,
            note=f"{counts[-1]:,} examples against {counts[0]:,}",
        ),
        claimed(
            CLAIM, world, "network", "way lost where answers are spoilt",
            _gap(own, found["spoilt"]), above=DATA, **lost,
            note="three of four are answers to other inputs",
        ),
        claimed(
            CLAIM, world, "network", "way lost on inputs like none it was shown",
            _gap(left["whole"], left["halved"]), above=DATA, **lost,
            note="against as many examples of all kinds",
        ),
    ]  # fmt: skip


def _gap(more: Any, less: Any) -> Estimate:
    return bootstrap(np.array(more) - np.array(less))


def _panel(world: str, e: Effort, found: dict[str, Any]) -> Panel:
    counts = trials.STUDENTS[e.name]["counts"]
    return Panel(
        title=f"{world}: what data teach",
        x_label="examples",
        y_label="way from ignorance of the input to the best",
        x_scale="log2",
        series=[
            series_of("network", counts, [bootstrap(np.array(way)) for way in found["sizes"]]),
        ],
        references=[],
    )
