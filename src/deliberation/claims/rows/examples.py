"""The named systems, placed by what they do under the same switches, and not by their label."""

from collections import Counter

import numpy as np

from ...runs import Cell, Panel, Series
from ...stats import exact_proportion
from ...zoo.registry import list_zoo
from ..measuring import cells as shared
from ..measuring import trials
from ..measuring.about import About
from ..measuring.effort import Effort
from ..measuring.placing import KINDS, verdict
from ..measuring.results import Results, Shown
from ..measuring.rows import claimed, told

SMALLEST = 0.5
DEAR = ("gumbel_search", "beam_search", "best_of_n")
"""Direct systems that take a fifth of a smoke table's time with the others; three are left."""
CLAIM = {
    "name": "examples",
    "aspect": "examples",
    "side": "both",
    "title": "Examples: the named systems land where the sources list them",
    "statement": "Put through the same switches, blind, more than half of the systems that the "
    "sources list as direct or as amortised are placed there.",
    "estimand": "Share of those systems that a rule fixed beforehand places where they are listed: "
    "as direct who follows another objective at once, as amortised who does not and is as good "
    "without thinking.",
    "unit": "systems",
    "smallest": "half of the systems",
    "refuted_if": "The share lies below a half.",
}
PLANTED = {
    "null": {
        "systems that do not follow what they are told": {"more": {"told": 0.0}},
        "systems that are no better than random": {"more": {"own": 0.0}},
    },
    "effect": {"every system as listed": {"more": {}}},
}


def applies(it: About, e: Effort) -> str:
    """Where another objective can be solved exactly, and enough systems are meant for the task."""
    if trials.swaps_only(it, e):
        return trials.swaps_only(it, e)
    if len(systems(it.name, e)) < 8:
        return "fewer than eight systems of the zoo are meant for it"
    if it.name.startswith("gridworld") and it.name != "gridworld_pits":
        return "the systems meant for gridworlds are put through their switches once"
    if e.name == "smoke" and it.name != "gridworld_pits":
        return "at this effort the systems are put through their switches on gridworld only"
    return ""


def world_of(task: str) -> str:
    """Where the systems are asked: the plain gridworld stands for its family."""
    return "gridworld" if task.startswith("gridworld") else task


def systems(task: str, e: Effort) -> list[str]:
    """Entries of the zoo that are meant for a task; at the smallest effort without the dearest."""
    left_out = DEAR if e.name == "smoke" else ()
    return [
        name
        for name, entry in list_zoo().items()
        if world_of(task) in entry["tasks"] and name not in left_out
    ]


def cells(task: str, e: Effort) -> list[Cell]:
    """Every such system, put through the switches."""
    return [_put(task, e, name) for name in systems(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The confusion of labels and places, and how many stand where they are listed."""
    placed, ways, zoo = {}, {}, list_zoo()
    for name in systems(task, e):
        found = results.outcomes(_put(task, e, name))["way"]
        ways[name] = {k: None if v is None else float(np.mean(v)) for k, v in found.items()}
        placed[name] = verdict(**ways[name])
    counts = Counter((zoo[name]["kind"], place) for name, place in placed.items())
    rows = []
    for side in ("direct", "amortised", "hybrid"):
        total = sum(counts[side, place] for place in KINDS)
        where = ", ".join(f"{counts[side, p]} {p}" for p in KINDS if counts[side, p])
        share = exact_proportion(counts[side, side], total)
        rows.append(
            told(CLAIM, task, f"{total} systems listed as {side}", f"placed as {side}", share,
                 unit="share", note=f"placed as: {where or 'none'}")
        )  # fmt: skip
    listed = [n for n in placed if zoo[n]["kind"] != "hybrid"]
    right = sum(placed[n] == zoo[n]["kind"] for n in listed)
    rows.append(
        claimed(
            CLAIM, task, f"{len(listed)} systems", "placed where they are listed",
            exact_proportion(right, len(listed)), above=SMALLEST, unit="share",
        )
    )  # fmt: skip
    astray = [zoo[n]["title"] for n, place in placed.items() if place != zoo[n]["kind"]]
    said = f"elsewhere than listed: {', '.join(astray)}" if astray else "all where they are listed"
    return Shown(rows, [_panel(task, ways)], f"On {task} of {len(placed)} systems {said}.")


def _put(task: str, e: Effort, name: str) -> Cell:
    world = world_of(task)
    # Systems are what is counted here, so positions of one class may stand beside each other.
    on = trials.swapped_positions(world, e, every=True)
    settings = {
        "task": world,
        "entry": name,
        "effort": "quick" if e.name == "full" else "smoke",
        "positions": on.id,
        "seed": 0,
    }
    function = "deliberation.claims.measuring.placing:put_through"
    return shared.cell(function, settings, (on.id,), 12.0, f"{name} on {world}, switched")


def _panel(task: str, ways: dict[str, dict[str, float | None]]) -> Panel:
    zoo = list_zoo()
    series = []
    for side in ("direct", "amortised", "hybrid"):
        spots = [
            (way["thoughtless"], way["told"])
            for name, way in ways.items()
            if zoo[name]["kind"] == side
        ]
        known = [(x or 0.0, y or 0.0) for x, y in spots]
        if known:
            x, y = zip(*known, strict=True)
            series.append(Series(label=f"listed as {side}", x=list(x), y=list(y), kind="points"))
    return Panel(
        title=task,
        x_label="way without thinking",
        y_label="way towards another objective, when told",
        series=series,
    )
