"""Taught by reward, a network goes on towards its goal where its imitating twin gets lost."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_arms, found
from ...experiments.reward.twins import PLACES
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 500, "quick": 800, "full": 6000}
ARMS = ("reward", "imitation", "values")
TITLES = {
    "reward": "taught by reward",
    "imitation": "taught by imitation",
    "values": "taught by values (Q-learning)",
}
LEAD, MATCHED = 0.05, 0.05
SHIFTS = PLACES[1:4]
WIDE = (-2.0, 2.0)
"""What differences are bounded by, more than amply."""
CLAIM = {
    "name": "reward_or_imitation",
    "aspect": "learned",
    "chapter": "reward",
    "side": "both",
    "title": "The same network by reward and by imitation",
    "statement": "Of twins that act alike where they were trained, the one that was taught by "
    "reward gets further towards the goal elsewhere than the one that imitated the best actor in "
    "the same states: behind moved walls, to goals at new places, from starts far off.",
    "estimand": "Share of the way from random play to the optimum, exactly, by the best-scored "
    "actions: the twin by reward less the twin by imitation, in each of three places off the "
    "distribution. Of these mazes, the same for all trainings.",
    "unit": "trainings",
    "smallest": "0.05 of the way",
    "refuted_if": "The lead of the twin by reward lies below 0.05 of the way: there is none, or "
    "the imitator leads.",
}
WORLDS = ("mazes for twins",)
cells = all_arms("reward.twins", 30.0, ARMS, steps=STEPS)
"""Three ways to teach one network."""
NULL = {
    "what": "the twin by reward is taught by imitation too, from other weights",
    "rows": tuple(f"lead of reward over imitation, {place}" for place in SHIFTS),
}
"""The rows that must not be supported where this is taken out."""
ALIKE = [0.92, 0.80, 0.60, 0.80, 0.40]
LESS = [0.92, 0.70, 0.50, 0.70, 0.30]
TRUE = {
    "reward/way": (ALIKE, 0.03, -1.0, 1.0), "imitation/way": (LESS, 0.03, -1.0, 1.0),
    "values/way": (LESS, 0.03, -1.0, 1.0), "drawn": (LESS, 0.03, -1.0, 1.0),
    "agreement": ([0.95, 0.9, 0.8, 0.85, 0.7], 0.02, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "twins alike everywhere": planted(TRUE, **{"reward/way": (LESS, 0.03, -1.0, 1.0)}),
        "the imitator leads": planted(
            TRUE,
            **{"reward/way": (LESS, 0.03, -1.0, 1.0), "imitation/way": (ALIKE, 0.03, -1.0, 1.0)},
        ),
    },
    "effect": {"a lead of twice the smallest": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who gets how far, where, and the lead of one twin over the other."""
    plan = dict(zip(ARMS, cells(world, e, null=null), strict=True))
    way, drawn, agreed = (
        {name: found(results, cell, what) for name, cell in plan.items()}
        for what in ("way", "drawn", "agreement")
    )
    lead = way["reward"] - way["imitation"]
    unit = {"unit": "of the way"}
    rows = [
        claimed(CLAIM, world, "twins", f"lead of reward over imitation, {place}",
                bootstrap(lead[:, i], bounds=WIDE), above=LEAD, **unit)
        for i, place in enumerate(PLACES) if place in SHIFTS
    ]  # fmt: skip
    rows += [
        check(CLAIM, world, "twins", "lead where trained: matched",
              bootstrap(lead[:, 0], bounds=WIDE), within=(-MATCHED, MATCHED), **unit),
        told(CLAIM, world, "twins", f"lead of reward over imitation, {PLACES[4]}",
             bootstrap(lead[:, 4], bounds=WIDE), **unit),
        told(CLAIM, world, "twins", "lead, actions drawn by their scores, mean of three places",
             bootstrap((drawn["reward"] - drawn["imitation"])[:, 1:4].mean(1), bounds=WIDE),
             **unit),
        told(CLAIM, world, "values and imitation", "lead of values, mean of three places",
             bootstrap((way["values"] - way["imitation"])[:, 1:4].mean(1), bounds=WIDE), **unit),
    ]  # fmt: skip
    for name in ARMS:
        rows += [
            told(CLAIM, world, TITLES[name], f"way, {place}",
                 bootstrap(way[name][:, i], bounds=(-1.0, 1.0)), **unit)
            for i, place in enumerate(PLACES)
        ]  # fmt: skip
        rows.append(
            told(CLAIM, world, TITLES[name], "agreement with the best where trained",
                 bootstrap(agreed[name][:, 0], bounds=(0.0, 1.0)))
        )  # fmt: skip
    return Shown(rows, [_panel(way)], _sentence(way, lead))


def _panel(way: dict[str, np.ndarray]) -> Panel:
    return Panel(
        title="how far each twin gets",
        x_label="where it is asked",
        x_names=["where trained", "walls moved", "goals elsewhere", "starts far off", "all three"],
        y_label="way from random to optimum",
        series=[
            series_of(
                TITLES[name],
                [i + 1 + 0.12 * (k - 1) for i in range(len(PLACES))],
                [bootstrap(x, bounds=(-1.0, 1.0)) for x in way[name].T],
                kind="points",
            )
            for k, name in enumerate(ARMS)
        ],
        references=[Reference(label="random", y=0.0), Reference(label="optimum", y=1.0)],
    )


def _sentence(way: dict[str, np.ndarray], lead: np.ndarray) -> str:
    at = {name: x.mean(0) for name, x in way.items()}
    told = ", ".join(
        f"{place} {at['reward'][i]:.2f} against {at['imitation'][i]:.2f} ({lead[:, i].mean():+.2f})"
        for i, place in enumerate(PLACES[:4])
    )
    return f"Taught by reward against taught by imitation: {told}."
