"""Off the distribution: how much behaviour changes, and what that costs, told apart."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Row, Series
from ...stats import Estimate, bootstrap
from ..measuring import trials
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean, series_of
from ..measuring.rows import check, claimed, told

SEARCH, NETWORK = f"search ({trials.FIRM})", "network"
SHIFTS = ("start", "dynamics", "observation", "reward")
Lost = dict[str, dict[str, Estimate]]
DIVERGES, CONTINUOUS, GROWS = 0.1, 0.2, 0.1
CLAIM = {
    "name": "off_distribution",
    "aspect": "out_of_distribution",
    "side": "both",
    "title": "Out of distribution: continuity of behaviour, and regret",
    "statement": "Where the reward changes, search turns to other behaviour at once. A network "
    "stays close to what it did, wherever it starts, whatever wall goes up, however noisy its "
    "sight; and so its regret grows where the world has changed.",
    "estimand": "Total variation between the distributions over actions in a contested position "
    "and in its twin after a shift (search: beyond that between two askings, and the network's); "
    "way before less way after, each by the values that hold. What a network loses where the "
    "reward changes, and how often it is then competent and wrong, is told: it cannot be "
    "otherwise. The wall goes up where the position's best action led.",
    "unit": "trainings and positions",
    "smallest": "variation of search 0.1 beyond the network's; of the network below 0.2; 0.1 of "
    "the way",
    "refuted_if": "Search's variation exceeds the network's by less than 0.1; or the network's is "
    "above 0.2; or less than 0.1 of the way is lost behind a new wall.",
}
PLANTED = {
    "null": {
        "a search that ignores its reward": {"more": {"moved": 0.0}},
        "a network that jumps": {"more": {"network_moved": 0.4}},
        "shifts that cost nothing": {"more": {"lost": 0.0}},
    },
    "effect": {
        "twice the smallest": {
            "more": {"moved": 0.2, "network_moved": 0.1, "lost": 0.2, "wrong": 0.45}
        }
    },
}
applies = trials.grids_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search and networks, before the shifts and after each."""
    return [trials.shifted(task, e), *(trials.met(task, e, s) for s in ("planner", "network"))]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Continuity and regret apart, paired over positions and their twins."""
    search = results.outcomes(trials.met(task, e, "planner"))
    network = results.outcomes(trials.met(task, e, "network"))
    low = results.outcomes(trials.shifted(task, e))["low"]
    lost = {who: _lost(x, low) for who, x in ((SEARCH, search), (NETWORK, network))}
    rows = [*_changes(task, search, network), *_losses(task, lost, search, network)]
    panel = Panel(
        title=task,
        x_label="total variation between twins",
        y_label="way lost (0: start, dynamics, observation, reward, in this order)",
        series=[_cloud(SEARCH, search, lost), _cloud(NETWORK, network, lost)],
    )
    return Shown(rows, [panel], _sentence(task, search, network, lost))


def _changes(task: str, search: dict, network: dict) -> list[Row]:
    """How far behaviour moves from a position to its twin."""
    floor = np.array(search["variation"]["before"])
    moved = np.array(search["variation"]["reward"]) - floor
    still = np.array(network["variation"]["reward"])
    beyond = bootstrap(moved - still, bounds=(-2, 1))
    direct: dict[str, Any] = {"unit": "total variation", "side": "direct", "over": "positions"}
    learned: dict[str, Any] = {"unit": "total variation", "side": "amortised"}
    rows = [
        claimed(CLAIM, task, SEARCH, "change of behaviour with the reward, beyond the network's",
                beyond, above=DIVERGES, note="less that between two askings", **direct),
        check(CLAIM, task, NETWORK, "change of behaviour with the reward", _fixed(still),
              within=(-1e-6, 1e-6), note="a network is not told the reward", **learned),
    ]  # fmt: skip
    for shift in SHIFTS[:3]:
        apart = mean(1 - np.array(network["variation"][shift]))
        least = Estimate(1 - apart.estimate, 1 - apart.high, 1 - apart.low, apart.n, apart.freedom)
        rows.append(
            claimed(CLAIM, task, NETWORK, f"change of behaviour with the {shift}", least,
                    below=CONTINUOUS, **learned)
        )  # fmt: skip
        if shift in search["variation"]:
            beyond = bootstrap(np.array(search["variation"][shift]) - floor, bounds=(-1, 1))
            rows.append(
                told(CLAIM, task, SEARCH, f"change of behaviour with the {shift}", beyond,
                     note="less that between two askings", **direct)
            )  # fmt: skip
    return rows


def _losses(task: str, found: Lost, search: dict, network: dict) -> list[Row]:
    """What a shift costs, and whether the network is competent and wrong."""
    direct: dict[str, Any] = {"unit": "of the way", "side": "direct", "over": "positions"}
    learned: dict[str, Any] = {"unit": "of the way", "side": "amortised"}
    rows = []
    for shift in SHIFTS:
        quantity, lost = f"way lost by a shift of the {shift}", found[NETWORK][shift]
        # Of the reward a network is not told: what it loses there says only how good it was before.
        if shift == "dynamics":
            rows.append(claimed(CLAIM, task, NETWORK, quantity, lost, above=GROWS, **learned))
        else:
            rows.append(told(CLAIM, task, NETWORK, quantity, lost, **learned))
        if shift in found[SEARCH]:
            rows.append(told(CLAIM, task, SEARCH, quantity, found[SEARCH][shift], **direct))
    quantity = "decisions best by the old reward, worse than random by the new"
    more: dict[str, Any] = {"unit": "share beyond random play's"}
    return [
        *rows,
        told(CLAIM, task, NETWORK, quantity, _wrong(network), side="amortised", **more),
        told(CLAIM, task, SEARCH, quantity, _wrong(search), side="direct", over="positions",
             **more),
    ]  # fmt: skip


def _wrong(found: dict) -> Estimate:
    return bootstrap(np.array(found["wrong"]) - np.array(found["chance"]), bounds=(-1, 1))


def _lost(found: dict, low: dict[str, float]) -> dict[str, Estimate]:
    """Way before less way after each shift that was met."""
    before, after = np.array(found["way"]["before"]), found["way"]
    return {
        shift: bootstrap(
            before - np.array(after[shift]), bounds=(low["before"] - 1, 1 - low[shift])
        )
        for shift in SHIFTS
        if shift in after
    }


def _fixed(values: np.ndarray) -> Estimate:
    """The mean of what is the same everywhere by construction; else with its interval."""
    at = float(values.mean())
    return bootstrap(values) if np.ptp(values) else Estimate(at, at, at, values.size)


def _cloud(label: str, found: dict, losses: Lost) -> Series:
    shifts, lost = list(losses[label]), list(losses[label].values())
    moved = [float(np.mean(found["variation"][shift])) for shift in shifts]
    return series_of(label, moved, lost, kind="points")


def _sentence(task: str, search: dict, network: dict, lost: Lost) -> str:
    moved = np.mean(search["variation"]["reward"]) - np.mean(search["variation"]["before"])
    walled = np.mean(network["variation"]["dynamics"])
    own, *others = lost[SEARCH]["reward"], lost[NETWORK]["reward"], lost[NETWORK]["dynamics"]
    reward, dynamics = (x.estimate for x in others)
    return (
        f"On {task} a changed reward moves search by {moved:.2f} in total variation and costs it "
        f"{own.estimate:.2f} of the way; the network does not move and loses {reward:.2f}. A new "
        f"wall moves the network by {walled:.2f} and costs it {dynamics:.2f}."
    )
