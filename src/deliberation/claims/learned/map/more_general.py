"""Trained on more mazes, a network behaves as an optimiser in more of the space of its inputs."""

import numpy as np

from ....runs import Panel
from ....stats import bootstrap
from ...experiments.arms import all_found, one_arm
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told

STEPS = {"smoke": 400, "quick": 1500, "full": 4000}
NUMBERS = (2, 8, 32, 128, 512)
SLOPE = 0.02
WIDE = (-1.0, 1.0)
"""What differences are bounded by, more than amply."""
CLAIM = {
    "name": "more_general",
    "aspect": "learned",
    "chapter": "map",
    "side": "amortised",
    "title": "More mazes, more of the space",
    "statement": "The more mazes a network was taught on by reward, with as many steps, the larger "
    "the part of inputs off its distribution, where walls moved, in which its choices are "
    "optimal: on the mean over doublings by at least 0.02 a doubling.",
    "estimand": "Share of the inputs (maze with more walls, goal, start) from which its actions go "
    "a shortest way, exactly: the slope over the logarithm of the number of mazes. Mazes that were "
    "trained are left out; of these mazes, the same for all trainings.",
    "unit": "trainings",
    "smallest": "0.02 a doubling",
    "refuted_if": "The slope lies below 0.02 a doubling, as where all are trained on as few mazes.",
}
WORLDS = ("mazes, few or many",)
NULL = {
    "what": "all are trained on two mazes, whatever number is said",
    "rows": ("inputs with walls moved in which its choices are optimal, a doubling of mazes",),
}
"""The rows that must not be supported where this is taken out."""
FLAT, RISING = [0.4] * 5, [0.2, 0.28, 0.36, 0.44, 0.52]
TRUE = {
    "seen": (0.9, 0.03, 0.0, 1.0), "fresh": (RISING, 0.03, 0.0, 1.0),
    "moved": (RISING, 0.03, 0.0, 1.0),
}  # fmt: skip
TRUE["seen"] = ([0.9] * 5, 0.03, 0.0, 1.0)
PLANTED = {
    "null": {
        "as much whatever it saw": planted(TRUE, moved=(FLAT, 0.03, 0.0, 1.0)),
        "better only on mazes alike": planted(
            TRUE, moved=([0.30, 0.31, 0.32, 0.33, 0.34], 0.03, 0.0, 1.0)
        ),
    },
    "effect": {"twice the smallest": planted(TRUE)},
}


cells = one_arm("map.parts", 60.0, also={"numbers": list(NUMBERS)}, steps=STEPS)
"""All numbers of mazes in one cell."""


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How the share grows with what was seen."""
    (cell,) = cells(world, e, null=null)
    seen, fresh, moved = all_found(results, cell, "seen", "fresh", "moved")
    doublings = np.log2(NUMBERS)
    middle = doublings - doublings.mean()
    slopes = {
        name: (share * middle).sum(1) / (middle**2).sum()
        for name, share in (("fresh", fresh), ("moved", moved))
    }
    first, second = (x.ravel().argsort().argsort() for x in (fresh, moved))
    who = "network"
    rows = [
        claimed(CLAIM, world, who,
                "inputs with walls moved in which its choices are optimal, a doubling of mazes",
                bootstrap(slopes["moved"], bounds=WIDE), above=SLOPE),
        told(CLAIM, world, who, "inputs in new mazes alike, a doubling of mazes",
             bootstrap(slopes["fresh"], bounds=WIDE)),
        told(CLAIM, world, who, "lost from new mazes alike to walls moved, most mazes",
             bootstrap((fresh - moved)[:, -1], bounds=WIDE)),
    ]  # fmt: skip
    for name, share in (("its own mazes", seen), ("walls moved", moved)):
        rows += [
            told(CLAIM, world, f"trained on {n} mazes", f"optimal choices, {name}",
                 bootstrap(share[:, i], bounds=(0.0, 1.0)))
            for i, n in enumerate(NUMBERS)
        ]  # fmt: skip
    panel = Panel(
        title="where choices are optimal",
        x_label="mazes that it was trained on",
        y_label="share of inputs with a shortest way",
        x_scale="log2",
        series=[
            series_of(label, NUMBERS, [bootstrap(x, bounds=(0.0, 1.0)) for x in share.T])
            for label, share in (
                ("its own mazes", seen), ("new mazes alike", fresh), ("walls moved", moved),
            )
        ],
    )  # fmt: skip
    sentence = (
        f"Trained on {NUMBERS[0]} mazes, a network goes a shortest way from "
        f"{moved[:, 0].mean():.2f} of the inputs with walls moved, trained on {NUMBERS[-1]} from "
        f"{moved[:, -1].mean():.2f}: {slopes['moved'].mean():+.3f} a doubling. Over all networks "
        f"the rank correlation with the share in new mazes alike is "
        f"{np.corrcoef(first, second)[0, 1]:.2f}."
    )
    return Shown(rows, [panel], sentence)
