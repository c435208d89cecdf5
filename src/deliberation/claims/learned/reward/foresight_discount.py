"""How far ahead a reward still changes the choice, by the discount that a network learned with."""

import itertools

import numpy as np

from ....runs import Panel
from ....stats import bootstrap, rate
from ...experiments.arms import found, one_arm
from ...experiments.reward.foresight import DISCOUNTS, FARTHEST, WAYS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told

STEPS = {"smoke": 1000, "quick": 3000, "full": 10_000}
GAIN, MOST, OFF = 0.5, 0.5, 1.0
CLAIM = {
    "name": "foresight_discount",
    "aspect": "learned",
    "chapter": "reward",
    "side": "amortised",
    "title": "Reward across time",
    "statement": "How far ahead a trained network looks grows with the discount it was trained "
    "with, however it was trained by reward, and is what the discount makes worth while.",
    "estimand": "Steps from which a network waits for the greater reward: the share of trainings "
    "that wait further with each discount (0, 0.63, 0.82, 0.90) than with the one before, and "
    "steps off log R / -log g rounded down, on average over discounts.",
    "unit": "trainings",
    "smallest": "half of all trainings; one step off",
    "refuted_if": "Fewer than half of the trainings wait further with a greater discount, or they "
    "wait a step more or less than is worth while: as where what follows is not counted.",
}
WORLDS = ("a greater reward later",)
_STEPS = tuple(
    f"share that wait further with discount {two:.2f} than {one:.2f}"
    for one, two in itertools.pairwise(DISCOUNTS)
)
cells = one_arm("reward.foresight", 60.0, steps=STEPS)
"""One arm with both ways of training; in the null what follows is not counted."""
NULL = {
    "what": "what an action leads to is not counted, only what it pays at once",
    "rows": (*_STEPS, "steps off what is worth while"),
}
"""The rows that must not be supported where this is taken out."""
NAMES = {"differences": "temporal differences", "returns": "REINFORCE with discounted returns"}
_RISING = [0.0, 1.3, 2.4, 3.5]
TRUE = {
    "differences": (_RISING, 0.4, 0.0, 12.0), "returns": (_RISING, 0.4, 0.0, 12.0),
    "closed": (_RISING, 0.2, 0.0, 12.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "nobody waits": planted(TRUE, differences=([0.0] * 4, 0.0), returns=([0.0] * 4, 0.0)),
        "as far with any discount": planted(TRUE, returns=([2.0] * 4, 0.4, 0.0, 12.0)),
        "two steps further than is worth while": planted(
            TRUE, differences=([2.0, 3.3, 4.4, 5.5], 0.4, 0.0, 12.0)
        ),
    },
    "effect": {"twice the smallest": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How far networks wait, against what is worth while."""
    (cell,) = cells(world, e, null=null)
    waits = {way: found(results, cell, way) for way in WAYS}
    closed = found(results, cell, "closed")
    far = float(FARTHEST)
    rows = []
    for way, steps in waits.items():
        rows += [
            claimed(CLAIM, world, NAMES[way], quantity,
                    rate(steps[:, i + 1] - steps[:, i] > GAIN), above=MOST)
            for i, quantity in enumerate(_STEPS)
        ]  # fmt: skip
        off = bootstrap(abs(steps - closed).mean(1), bounds=(0.0, far))
        rows += [
            claimed(CLAIM, world, NAMES[way], "steps off what is worth while", off, below=OFF),
            *(told(CLAIM, world, NAMES[way], f"steps that it waits, discount {discount:.2f}",
                   bootstrap(x, bounds=(0.0, far)))
              for discount, x in zip(DISCOUNTS, steps.T, strict=True)),
        ]  # fmt: skip
    panel = Panel(
        title=f"{world}: how far networks wait",
        x_label="discount of training",
        y_label="steps that it waits",
        series=[
            series_of(label, DISCOUNTS, [bootstrap(x, bounds=(0.0, far)) for x in steps.T])
            for label, steps in (
                *((NAMES[way], steps) for way, steps in waits.items()),
                ("worth while: log R / -log g", closed),
            )
        ],
    )
    middle, least = waits["differences"].mean(0), waits["returns"].mean(0)
    sentence = (
        f"With discounts of 0, 0.63, 0.82 and 0.90 networks wait up to {_list(middle)} steps if "
        f"trained by temporal differences and {_list(least)} by REINFORCE, where "
        f"{_list(closed.mean(0))} are worth while."
    )
    return Shown(rows, [panel], sentence)


def _list(numbers: np.ndarray) -> str:
    return ", ".join(f"{x:.1f}" for x in numbers)
