"""Planted worlds of cells in which something is changed; what is true there is in `World.more`."""

from typing import Any

import numpy as np

from .planted import Known, World, plants

TRUTH: dict[str, Any] = {
    "search_told": (0.9, 0.9, 0.2),
    "network_told": (0.8, -0.4),
    "covered": (0.3, 0.8),
    "poisoned": 0.2,
    "learner": (0.9, 0.3, 0.4),
    "moved": 0.4,
    "network_moved": 0.05,
    "lost": 0.4,
    "wrong": 0.7,
    "pruned": (0.6, 0.01),
    "noisily_pruned": (0.8, 0.2),
    "swapped": 0.95,
    "shuffled": 0.0,
    "near": (0.5, 0.1),
    "other_teacher": 1.0,
    "spoilt": 0.3,
    "halved": 0.5,
}
"""What holds where `more` says nothing: all that is claimed is true, and well beyond its bounds.

`search_told`: way by the objective it is told, the old or the new one, and by either when told the
other. `network_told`: way by the old objective and by the new. `covered`: way where a sixteenth was
covered, and all. `poisoned`: way after a poisoned lesson. `learner`: way by trial and error, clean,
with a corrupted reward, with corrupted data. `moved`: total variation of search with the reward,
`network_moved` of the network with each other shift. `lost`: what changed dynamics and rewards cost
the network. `wrong`: how often it is competent and wrong, where random play is in a quarter.
`pruned`: the share of steps that pruning saves and the way that it loses, `noisily_pruned` the same
by values with noise.
Of other outputs than actions, `swapped` is the way of an optimiser by an exchanged objective;
`shuffled`, `spoilt` and `halved` that of networks after each of these; `near` the distance from the
teacher with little data and much, and `other_teacher` what another teacher is farther (at most 1).
"""
_HERE = "deliberation.claims.measuring"
CHANCE = 0.25


def _true(world: World, name: str) -> Any:
    return (world.more or {}).get(name, TRUTH[name])


def _rows(world: World, mean: float, name: str, rows: int) -> list[list[float]]:
    """[rows, items] about a mean, and what the training seeds add."""
    found = [world.draw(mean + world.effect(row), f"{name} {row}") for row in range(rows)]
    return np.array(found).tolist()


@plants(f"{_HERE}.swaps:find_swapped")
def _swapped(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del cell, known
    return {"count": world.n, "share": 0.5, "low": {"own": -2.0, "other": -2.0}}, {}


@plants(f"{_HERE}.swaps:follow")
def _follow(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    network, count = bool(cell.settings["policies"]), max(len(cell.settings["policies"]), 1)
    own, other, misled = _true(world, "search_told")
    if network:
        own, other = _true(world, "network_told")
    means = {"own": own, "other": other}

    def way(told: str, judged: str) -> list[list[float]]:
        mean = means[judged] if network or told == judged else misled
        heard = "" if network else told
        return _rows(world, mean, f"{cell.id} {heard} {judged}", count)

    kept = np.ones((count, world.n)) if network else world.draw(0.5, cell.id)[None]
    ways = {told: {judged: way(told, judged) for judged in means} for told in means}
    batches = {name: [1.0] * world.n for name in ("permuted", "again", "alone")}
    return {"way": ways, "kept": kept.tolist(), "batches": batches}, {}


@plants(f"{_HERE}.coverage:cover")
def _cover(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    few, many = _true(world, "covered")
    share = np.log2(16 * cell.settings["share"]) / 4
    mean = few + (many - few) * float(share)
    way = _rows(world, mean, cell.id, len(cell.settings["seeds"]))
    return {"way": way, "covered": 1000 * cell.settings["share"]}, {}


@plants(f"{_HERE}.corruption:imitate_poisoned")
def _poisoned(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    seeds = len(cell.settings["seeds"])
    return {"way": _rows(world, _true(world, "poisoned"), cell.id, seeds)}, {}


@plants(f"{_HERE}.corruption:learn_by_trial")
def _trial(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    clean, reward, data = _true(world, "learner")
    mean = reward if cell.settings["reward"] else data if cell.settings["data"] else clean
    return {"way": _rows(world, mean, cell.id, len(cell.settings["seeds"]))}, {}


@plants(f"{_HERE}.shifts:find_shifts")
def _shifts(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del cell, known
    conditions = ("before", "start", "dynamics", "observation", "reward")
    return {"count": world.n, "share": 1.0, "low": dict.fromkeys(conditions, -2.0)}, {}


@plants(f"{_HERE}.shifts:meet")
def _meet(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    network, count = bool(cell.settings["policies"]), max(len(cell.settings["policies"]), 1)
    way = dict.fromkeys(("before", "start", "dynamics", "reward"), 0.8)
    moved = dict.fromkeys(way, 0.1)
    moved["reward"] = 0.1 + _true(world, "moved")
    wrong = 0.0
    if network:
        lost, near = _true(world, "lost"), _true(world, "network_moved")
        way = {**way, "observation": 0.7, "dynamics": 0.8 - lost, "reward": 0.8 - lost}
        moved = {**dict.fromkeys(way, near), "before": 0.0, "reward": 0.0}
        wrong = _true(world, "wrong")

    def variation(name: str, mean: float) -> list[list[float]]:
        rows = [2 * mean * world.uniform(f"{cell.id} {name} {row}") for row in range(count)]
        return np.array(rows).tolist()

    return {
        "way": {name: _rows(world, x, f"{cell.id} {name}", count) for name, x in way.items()},
        "variation": {name: variation(name, x) for name, x in moved.items()},
        "wrong": _rows(world, wrong, f"{cell.id} wrong", count),
        "chance": [CHANCE] * world.n,
    }, {}


@plants(f"{_HERE}.pruning:prune")
def _prune(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    """Way lost and share of steps saved as planted; noise loses and saves more."""
    del known
    found: dict[str, list[list[float]]] = {}
    for row, _ in enumerate(cell.settings["policies"]):
        for noise, margin in cell.settings["cases"]:
            saved, lost = _true(world, "noisily_pruned" if noise else "pruned")
            name = f"{cell.id} {row} {noise} {margin}"
            steps = 200 * world.uniform(f"{name} steps")
            full = world.draw(0.9, f"{cell.id} {row} {noise} full")
            drawn = {
                "way": full - world.draw(lost, f"{name} lost"),
                "full": full,
                "steps": 200 * (1 - saved) * world.uniform(f"{name} fewer"),
                "full_steps": steps,
                "error": 2 * (0.2 + noise) * world.uniform(f"{name} error"),
            }
            for column, values in drawn.items():
                found.setdefault(column, []).append(values.tolist())
    return {**found, "low": -2.0}, {}


@plants(f"{_HERE}.outputs:put_through")
def _outputs(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    """Students at .9 of the way; `near`: distances from the own teacher, with little data, much."""
    del known
    sizes, seeds = len(cell.settings["counts"]), len(cell.settings["seeds"])
    own, (little, much) = 0.9, _true(world, "near")

    def way(mean: float, name: str) -> list[list[float]]:
        return _rows(world, mean, f"{cell.id} {name}", seeds)

    def direct(mean: float, name: str) -> list[float]:
        return world.draw(mean, f"{cell.id} direct {name}").tolist()

    near = [way(x, f"near {x}") for x in np.linspace(little, much, sizes).tolist()]
    told = {"own": direct(0.95, "own"), "other": direct(-0.5, "misled")}
    turned = {"own": direct(-0.5, "turned"), "other": direct(_true(world, "swapped"), "other")}
    students = {name: way(much, f"own {name}") for name in ("own", "other")}
    return {
        "direct": {"own": told, "other": turned},
        "network": {"own": way(own, "own"), "other": way(-0.5, "other")},
        **{name: way(_true(world, name), name) for name in ("shuffled", "spoilt")},
        "left_out": {"halved": way(_true(world, "halved"), "halved"), "whole": way(own, "whole")},
        "sizes": [way(own * (k + 1) / sizes, f"size {k}") for k in range(sizes)],
        "apart": near,
        "from_own": students,
        "from_other": {name: way(min(much + _true(world, "other_teacher"), 1.0), f"far {name}")
                       for name in students},
        "beaten": [0.0] * world.n,
    }, {}  # fmt: skip
