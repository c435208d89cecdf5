"""Whether one objective explains what a network trained by reward does, across inputs."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import found, one_arm
from ...experiments.map.one_objective import SUBJECTS
from ...experiments.mazes import ACTIONS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 1200, "full": 4000}
GAIN = 0.05
WIDE = (-3.0, 3.0)
"""What differences are bounded by, more than amply."""
CLAIM = {
    "name": "one_objective",
    "aspect": "learned",
    "chapter": "map",
    "side": "both",
    "title": "One objective for all inputs",
    "statement": "An objective of three numbers that is fitted to what a network trained by "
    "reward does in some mazes predicts what it does in others, and in denser ones, better than "
    "the three devices that were fitted to the same.",
    "estimand": "Log likelihood of the subject's actions in mazes that were not fitted, by the "
    "maximum-entropy policy for the fitted objective, less that of the best of three devices: a "
    "network, a rule of the four cells about, and chance. Beside it the share of the explainable: "
    "of what lies between chance and the subject's own chances of actions. A reflex is itself a "
    "rule among the devices, and so no objective can gain on it: that is only checked.",
    "unit": "trainings",
    "smallest": "0.05 nats an action",
    "refuted_if": "The objective gains less than 0.05 nats over a device, as where what pays is "
    "another thing in every maze.",
}
WORLDS = ("things that pay",)
cells = one_arm("map.one_objective", 60.0, steps=STEPS)
"""One arm: a network, and the other subjects beside it."""
NULL = {
    "what": "what pays is drawn anew for every maze in which the network is trained",
    "rows": ("gain of one objective, other mazes", "gain of one objective, denser mazes"),
}
"""The rows that must not be supported where this is taken out."""
DEVICE = [-0.9, -0.9, -0.6, -1.386]


def _gain(network: float) -> dict:
    gained = (np.array(DEVICE) + np.array([0.3, network, -0.1, -0.05])).tolist()
    found: dict[str, tuple] = {"alike": ([0.95, 0.9, 0.8, 0.0], 0.05, -1.0, 1.0)}
    for place in ("held", "far"):
        found[f"{place}_objective"] = (gained, 0.04)
        found[f"{place}_device"] = (DEVICE, 0.02)
        found[f"{place}_own"] = ([-0.3, -0.4, -0.5, -0.6], 0.02)
    return found


TRUE = _gain(2 * GAIN)
PLANTED = {
    "null": {
        "a device explains the network as well": planted(_gain(0.0)),
        "an objective explains the network worse": planted(_gain(-2 * GAIN)),
    },
    "effect": {"an objective explains the network better": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What an objective gains over the best device, by subject."""
    (cell,) = cells(world, e, null=null)
    has = {
        f"{place}_{what}": found(results, cell, f"{place}_{what}")
        for place in ("held", "far") for what in ("objective", "device", "own")
    }  # fmt: skip
    gain = {place: has[f"{place}_objective"] - has[f"{place}_device"] for place in ("held", "far")}
    unit = {"unit": "nats"}
    where = {"held": "other mazes", "far": "denser mazes"}
    planner, network, reflex, table = range(len(SUBJECTS))
    rows = []
    for place, name in where.items():
        said = f"gain of one objective, {name}"
        at = [bootstrap(x, bounds=WIDE) for x in gain[place].T]
        rows += [
            claimed(CLAIM, world, "network by reward", said, at[network], above=GAIN, **unit),
            check(CLAIM, world, "planner", said, at[planner], above=GAIN, **unit),
            check(CLAIM, world, "reflex", said, at[reflex], below=GAIN, **unit),
            check(CLAIM, world, "table of arbitrary answers", said, at[table], below=GAIN, **unit),
        ]
    alike = found(results, cell, "alike")
    for i, who in enumerate(SUBJECTS):
        rows += [
            told(CLAIM, world, who, f"log likelihood, {what}",
                 bootstrap(has[f"held_{name}"][:, i]), **unit)
            for name, what in (
                ("objective", "one objective"), ("device", "best device"), ("own", "its own"),
            )
        ]  # fmt: skip
        rows.append(
            told(CLAIM, world, who, "cosine of the fitted objective with what pays",
                 bootstrap(alike[:, i], bounds=(-1.0, 1.0)))
        )  # fmt: skip
        chance = -np.log(ACTIONS)
        could = (has["held_own"][:, i] - chance).mean()
        rows += [
            told(CLAIM, world, who, f"share of the explainable, {what}",
                 bootstrap((has[f"held_{name}"][:, i] - chance) / max(could, 1e-3)))
            for name, what in (("objective", "one objective"), ("device", "best device"))
        ]  # fmt: skip
    panel = Panel(
        title="what one objective gains over the best of three devices",
        x_label="whose actions are explained",
        x_names=["planner", "network by reward", "reflex", "arbitrary table"],
        y_label="nats an action, mazes not fitted",
        series=[
            series_of(
                name,
                [i + 1 + 0.1 * k for i in range(len(SUBJECTS))],
                [bootstrap(x, bounds=WIDE) for x in gain[place].T],
                kind="points",
            )
            for k, (place, name) in enumerate(where.items())
        ],
        references=[Reference(label="as good", y=0.0), Reference(label="smallest", y=GAIN)],
    )
    at = gain["held"].mean(0)
    sentence = (
        f"In mazes that were not fitted one objective gains over the best of three devices "
        f"{at[planner]:+.2f} nats an action on the planner, {at[network]:+.2f} on the network "
        f"trained by reward (cosine with what pays {alike[:, network].mean():.2f}), "
        f"{at[reflex]:+.2f} on the reflex and {at[table]:+.2f} on a table of arbitrary answers."
    )
    return Shown(rows, [panel], sentence)
