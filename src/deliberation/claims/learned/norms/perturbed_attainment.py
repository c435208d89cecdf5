"""To attain after a perturbation takes feedback; search is neither needed nor enough for it."""

import numpy as np

from ....runs import Cell, Panel
from ....stats import bootstrap
from ...experiments.arms import arm, found
from ...experiments.norms.kicked import ARMS, TESTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 1000, "full": 3000}
BATCH = 64
THERE, GAIN, ALIKE, WORTH = 0.8, 0.5, 0.2, 0.4
CLAIM = {
    "name": "perturbed_attainment",
    "aspect": "learned",
    "chapter": "norms",
    "side": "both",
    "title": "Attainment by a habit",
    "statement": "After a kick farther out than any in training, a habit that feels where it is "
    "comes to what is wanted; a plan that was searched for and is not searched for again "
    "does not, as a habit that is recited does not. What brings it there is feedback: search "
    "adds little. Where the heater is wired the other way and a model tells so, it is the other "
    "way round: a search made anew attains, and the habit does not.",
    "estimand": "Shares of episodes that end within a tenth of what is wanted. Of two by two arms "
    "(search or habit, with feedback or without) the mean gain by either.",
    "unit": "trainings",
    "smallest": "0.8 there; a gain of 0.5 by feedback, of search within 0.2; 0.4 after rewiring",
    "refuted_if": "The habit that feels where it is gets lost farther out than it was trained, or "
    "search adds 0.2 or more beside feedback.",
}
WORLDS = ("a heated room",)
NULL = {
    "what": "the room is neither kicked nor rewired",
    "rows": ("gain by feedback after a kick", "rewired: beyond the habit"),
}
"""The rows that must not be supported where this is taken out."""
HABIT, RECITED, PLAN, AGAIN = range(len(ARMS))
TRUE = {
    "undisturbed": ([0.9, 0.9, 0.9, 0.9], 0.05, 0.0, 1.0),
    "kicked": ([0.92, 0.05, 0.05, 0.95], 0.05, 0.0, 1.0),
    "rewired": ([0.1, 0.3, 0.3, 0.9], 0.08, 0.0, 1.0),
    "thermostat_kicked": (1.0, 0.0), "thermostat_rewired": (0.1, 0.02),
    "model_error": (0.01, 0.002),
}  # fmt: skip
PLANTED = {
    "null": {
        "habits are lost farther out": planted(
            TRUE, kicked=([0.2, 0.02, 0.02, 0.97], 0.05, 0.0, 1.0)
        ),
        "nobody comes back": planted(TRUE, kicked=([0.03, 0.02, 0.02, 0.03], 0.02, 0.0, 1.0)),
        "a kick that undoes nothing": planted(
            TRUE, kicked=([0.97, 0.95, 0.95, 0.97], 0.02, 0.0, 1.0)
        ),
        "habits that heed the wiring": planted(
            TRUE, rewired=([0.95, 0.3, 0.3, 0.97], 0.02, 0.0, 1.0)
        ),
    },
    "effect": {"feedback and not search": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """All arms of a training in one cell; in the null nothing is disturbed."""
    del world
    steps = STEPS[e.name]
    return [arm("norms.kicked", e, 60.0, null=null, steps=steps, batch=BATCH)]


def _panel(there: dict[str, np.ndarray]) -> Panel:
    """Of each arm the share there, by what happened."""
    series = []
    for who, name in enumerate(ARMS):
        shares = [bootstrap(there[test][:, who], bounds=(0.0, 1.0)) for test in TESTS]
        series.append(series_of(name, range(len(TESTS)), shares, kind="points"))
    return Panel(
        title="who attains after what",
        x_label="undisturbed, kicked, rewired with the model told",
        y_label="share that ends where it is wanted",
        series=series,
    )


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who attains after what."""
    (cell,) = cells(world, e, null=null)
    there = {test: found(results, cell, test) for test in TESTS}
    kicked, calm, rewired = there["kicked"], there["undisturbed"], there["rewired"]
    feedback = (kicked[:, [HABIT, AGAIN]] - kicked[:, [RECITED, PLAN]]).mean(1)
    search = (kicked[:, [PLAN, AGAIN]] - kicked[:, [RECITED, HABIT]]).mean(1)

    def share(x: np.ndarray):
        return bootstrap(x, bounds=(0.0, 1.0))

    def apart(x: np.ndarray):
        return bootstrap(x, bounds=(-1.0, 1.0))

    rows = [
        claimed(CLAIM, world, "plan", "there, undisturbed", share(calm[:, PLAN]), above=THERE),
        claimed(CLAIM, world, "habit", "there after a kick", share(kicked[:, HABIT]), above=THERE),
        claimed(CLAIM, world, "habit and replanning", "gain by feedback after a kick",
                apart(feedback), above=GAIN),
        claimed(CLAIM, world, "plan and replanning", "gain by search after a kick",
                apart(search), within=(-ALIKE, ALIKE)),
        claimed(CLAIM, world, "replanning", "rewired: beyond the habit",
                apart(rewired[:, AGAIN] - rewired[:, HABIT]), above=WORTH),
        check(CLAIM, world, "plan", "there after a kick", share(kicked[:, PLAN]),
              below=1 - GAIN, note="it does not feel the kick"),
        check(CLAIM, world, "thermostat, built", "there after a kick",
              share(found(results, cell, "thermostat_kicked")), above=THERE),
        told(CLAIM, world, "thermostat, built", "there, rewired",
             share(found(results, cell, "thermostat_rewired"))),
        told(CLAIM, world, "model", "error of a step",
             bootstrap(found(results, cell, "model_error"), bounds=(0.0, 1.0))),
        *(
            told(CLAIM, world, name, f"share there: {test}", share(there[test][:, who]))
            for who, name in enumerate(ARMS) for test in TESTS
        ),
    ]  # fmt: skip
    at = kicked.mean(0)
    sentence = (
        f"After a kick {at[HABIT]:.2f} of the habit's episodes and {at[AGAIN]:.2f} of the "
        f"replanner's end where it is wanted, {at[PLAN]:.2f} of the plan's and {at[RECITED]:.2f} "
        f"of the recited habit's; rewired, {rewired[:, HABIT].mean():.2f} of the habit's and "
        f"{rewired[:, AGAIN].mean():.2f} of the replanner's."
    )
    return Shown(rows, [_panel(there)], sentence)
