"""Where a network optimises is a map of its inputs, not one bit."""

import numpy as np

from ....runs import Heat, Panel
from ....stats import bootstrap
from ...experiments.arms import found, one_arm
from ...experiments.map.parts import SUBJECTS, TRAINED
from ...experiments.mazes import CELLS, SIDE
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

STEPS = {"smoke": 500, "quick": 2000, "full": 6000}
INSIDE, OUTSIDE, APART = 0.1, 0.9, 0.2
CLAIM = {
    "name": "optimisation_map",
    "aspect": "learned",
    "chapter": "map",
    "side": "both",
    "title": "Where choices are optimal: a map, not one bit",
    "statement": "A network that is taught by reward to reach every other cell, chequered, chooses "
    "optimally for a part of its inputs, neither for none nor for all of them, and for more of "
    "those with a goal where training was.",
    "estimand": "Share of the inputs (maze, goal, start) from which its actions go a shortest way, "
    "exactly; and of those with trained goals less of those with other goals, each of whose rows "
    "and columns was trained with other cells. Of these mazes, the same for all trainings.",
    "unit": "trainings",
    "smallest": "0.1 from none and from all; 0.2 between trained and other goals",
    "refuted_if": "Its choices are optimal for more than 0.9 or fewer than 0.1 of the inputs, "
    "or trained and other goals differ by less than 0.2, as where it is trained on all goals.",
}
WORLDS = ("goals on every other cell",)
cells = one_arm("map.parts", 60.0, steps=STEPS)
"""One arm; in the null it is trained on all goals."""
NULL = {
    "what": "it is trained on all goals",
    "rows": ("inputs with optimal choices", "trained goals less the others"),
}
"""The rows that must not be supported where this is taken out."""


def _plain(trained: float, other: float) -> list:
    one = np.broadcast_to(np.where(TRAINED, trained, other)[:, None], (CELLS, CELLS))
    return np.broadcast_to(one, (len(SUBJECTS), CELLS, CELLS)).tolist()


TRUE = {"map": (_plain(0.85, 0.45), 0.05, 0.0, 1.0)}
PLANTED = {
    "null": {
        "optimal everywhere": planted(TRUE, map=(_plain(0.97, 0.97), 0.02, 0.0, 1.0)),
        "optimal nowhere": planted(TRUE, map=(_plain(0.03, 0.03), 0.02, 0.0, 1.0)),
        "half of the inputs, wherever": planted(TRUE, map=(_plain(0.5, 0.5), 0.05, 0.0, 1.0)),
    },
    "effect": {"trained goals more": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Shares over the map, and the map."""
    maps = found(results, cells(world, e, null=null)[0], "map")
    apart = ~np.eye(CELLS, dtype=bool)
    whole, inside, outside = (
        maps[..., (apart & goals[:, None])].mean(-1)
        for goals in (TRAINED | True, TRAINED, ~TRAINED)
    )
    rows = [
        claimed(CLAIM, world, SUBJECTS[0], "inputs with optimal choices",
                bootstrap(whole[:, 0], bounds=(0.0, 1.0)), within=(INSIDE, OUTSIDE)),
        claimed(CLAIM, world, SUBJECTS[0], "trained goals less the others",
                bootstrap((inside - outside)[:, 0], bounds=(-1.0, 1.0)), above=APART),
    ]  # fmt: skip
    for i, who in enumerate(SUBJECTS):
        rows += [
            told(CLAIM, world, who, quantity, bootstrap(x[:, i], bounds=(0.0, 1.0)))
            for quantity, x in (
                ("optimal, trained goals", inside), ("optimal, other goals", outside),
            )
        ]  # fmt: skip
    panels = [_drawn(who, maps[:, i].mean(0), apart) for i, who in enumerate(SUBJECTS[:3])]
    at = [(inside[:, i].mean(), outside[:, i].mean()) for i in range(len(SUBJECTS))]
    sentence = (
        f"To trained goals the network goes a shortest way from {at[0][0]:.2f} of the "
        f"inputs, to others from {at[0][1]:.2f} (untrained {at[3][1]:.2f}). Planning two steps "
        f"makes {at[1][1]:.2f} of that, thinking where the network is unsure {at[2][1]:.2f}."
    )
    return Shown(rows, panels, sentence)


def _drawn(who: str, one: np.ndarray, apart: np.ndarray) -> Panel:
    by_goal = (one * apart).sum(1) / apart.sum(1)
    places = [float(i + 1) for i in range(SIDE)]
    return Panel(
        title=f"{who}: share of starts with a shortest way",
        x_label="column of the goal (trained: row and column both odd or both even)",
        y_label="row of the goal",
        heat=Heat(x=places, y=places, z=by_goal.reshape(SIDE, SIDE).tolist()),
    )
