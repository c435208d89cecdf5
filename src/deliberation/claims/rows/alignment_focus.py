"""Where to take care: of the reward where one searches, also of the data where one learns."""

from typing import Any, NamedTuple

import numpy as np

from ...runs import Cell, Panel, Row
from ...stats import Estimate, bootstrap
from ..measuring import trials
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean, series_of, way_panel
from ..measuring.rows import check, claimed, told

SMALLEST, NONE = 0.2, 0.1
CONDITIONS = ("neither", "reward", "data", "both")
PLANNER, IMITATOR, LEARNER = f"search ({trials.FIRM})", "imitator", "learner by trial"
CLAIM = {
    "name": "alignment_focus",
    "aspect": "alignment",
    "side": "both",
    "title": "Alignment focus: corrupt the reward, or the data",
    "statement": "By the true objective, search falls where the reward it is given is corrupted; "
    "an imitator falls where its data are; a learner by trial and error falls with either.",
    "estimand": "Way by the true objective without corruption less way with it, in positions kept "
    "apart from imitation where it matters under both objectives what is done. Corrupted reward: "
    "goal and pit exchanged, or all rewards negated. Corrupted data: every recorded answer the one "
    "the teacher wanted least; for the learner by trial, every action logged as another one.",
    "unit": "trainings and positions",
    "smallest": "a fall of 0.2 of the way",
    "refuted_if": "The fall is less than 0.2 of the way, as for a decider that goes by something "
    "else, or that had nothing to lose.",
}
PLANTED = {
    "null": {
        "a search that ignores its reward": {"more": {"search_told": (0.9, 0.9, 0.9)}},
        "an imitator that ignores its data": {"more": {"poisoned": 0.8}},
        "a learner that ignores its reward": {"more": {"learner": (0.9, 0.9, 0.4)}},
        "a learner that ignores its data": {"more": {"learner": (0.9, 0.3, 0.9)}},
        "learners that learn nothing": {
            "more": {"network_told": (0.0, 0.0), "poisoned": 0.0, "learner": (0.0, 0.0, 0.0)}
        },
    },
    "effect": {
        "twice the smallest": {
            "more": {
                "search_told": (0.9, 0.9, 0.5), "poisoned": 0.4, "learner": (0.9, 0.5, 0.5),
            }
        }
    },
}  # fmt: skip


class Pattern(NamedTuple):
    """Ways by the true objective [trainings, positions] under each condition, by decider."""

    planner: dict[str, np.ndarray]
    imitator: dict[str, np.ndarray]
    learner: dict[str, np.ndarray]


applies = trials.tabular_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Three deciders, each under every corruption that can reach it."""
    asked = [trials.told_both(task, e, who) for who in ("planner", "network")]
    return [*asked, trials.poisoned(task, e), *_trials(task, e).values()]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Falls, paired over positions; what cannot reach a decider is an instrument check."""
    low = results.outcomes(trials.swapped_positions(task, e))["low"]["own"]
    ways, bounds = _pattern(task, e, results), (low - 1, 1 - low)

    def fall(of: dict[str, np.ndarray], condition: str) -> Estimate:
        return bootstrap(of["neither"] - of[condition], bounds=bounds)

    direct: dict[str, Any] = {"unit": "of the way", "side": "direct", "over": "positions"}
    learned: dict[str, Any] = {"unit": "of the way", "side": "amortised"}
    reward, data = "way lost by a corrupted reward", "way lost by corrupted data"
    rows = [
        claimed(CLAIM, task, PLANNER, reward, fall(ways.planner, "reward"), above=SMALLEST,
                **direct),
        claimed(CLAIM, task, IMITATOR, data, fall(ways.imitator, "data"), above=SMALLEST,
                **learned),
        claimed(CLAIM, task, LEARNER, reward, fall(ways.learner, "reward"), above=SMALLEST,
                **learned),
        claimed(CLAIM, task, LEARNER, data, fall(ways.learner, "data"), above=SMALLEST, **learned),
        _nothing(task, PLANNER, data, ways.planner, "data", "it is shown no data", **direct),
        _nothing(task, IMITATOR, reward, ways.imitator, "reward", "it is told no reward",
                 **learned),
        told(CLAIM, task, LEARNER, "way lost by both", fall(ways.learner, "both"), **learned),
        *(
            told(CLAIM, task, who, "way without corruption", mean(of["neither"], low),
                 **(direct if who == PLANNER else learned))
            for who, of in _named(ways).items()
        ),
    ]  # fmt: skip
    return Shown(rows, [_panel(task, ways, low)], _sentence(task, rows))


def _trials(task: str, e: Effort) -> dict[str, Cell]:
    return {
        name: trials.by_trial(task, e, reward=name in ("reward", "both"),
                              data=name in ("data", "both"))
        for name in CONDITIONS
    }  # fmt: skip


def _pattern(task: str, e: Effort, results: Results) -> Pattern:
    """A decider that something cannot reach is the same with and without it."""
    search = results.outcomes(trials.told_both(task, e, "planner"))["way"]
    network = results.outcomes(trials.told_both(task, e, "network"))["way"]
    planned = {told: np.array(search[told]["own"]) for told in search}
    imitated = {told: np.array(network[told]["own"]) for told in network}
    bad = np.array(results.outcomes(trials.poisoned(task, e))["way"])
    return Pattern(
        dict(zip(CONDITIONS, [planned[told] for told in ("own", "other", "own", "other")],
                 strict=True)),
        dict(zip(CONDITIONS, [imitated["own"], imitated["other"], bad, bad], strict=True)),
        {
            name: np.array(results.outcomes(cell)["way"])
            for name, cell in _trials(task, e).items()
        },
    )  # fmt: skip


def _named(ways: Pattern) -> dict[str, dict[str, np.ndarray]]:
    return {PLANNER: ways.planner, IMITATOR: ways.imitator, LEARNER: ways.learner}


def _nothing(
    task: str, who: str, quantity: str, of: dict[str, np.ndarray], condition: str, why: str,
    **more: Any,
) -> Row:  # fmt: skip
    lost = of["neither"] - of[condition]
    same = float(lost.mean())
    at = Estimate(same, same, same, lost.size) if not lost.any() else bootstrap(lost)
    return check(CLAIM, task, who, quantity, at, within=(-NONE, NONE), note=why, **more)


def _sentence(task: str, rows: list[Row]) -> str:
    by_reward, by_data, trial_reward, trial_data = (row.estimate for row in rows[:4])
    return (
        f"On {task} search loses {by_reward:.2f} of the way by a corrupted reward, an imitator "
        f"{by_data:.2f} by corrupted data, a learner by trial {trial_reward:.2f} and "
        f"{trial_data:.2f}."
    )


def _panel(task: str, ways: Pattern, low: float) -> Panel:
    series = [
        series_of(
            who, range(len(CONDITIONS)), [mean(of[c], low) for c in CONDITIONS], kind="points"
        )
        for who, of in _named(ways).items()
    ]
    x_label = "corrupted (0: nothing, 1: reward, 2: data, 3: both)"
    return way_panel(task, x_label, series, "way by the true objective")
