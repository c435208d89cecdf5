"""To attain after a perturbation: what a habit that feels does, and what search adds to it."""

import numpy as np

from ....runs import Panel, Series
from ....stats import bootstrap
from ...experiments.arms import all_found, counted, found, one_arm, share, shares_apart
from ...experiments.norms.kicked import ARMS, JUDGED, TESTS
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
    "statement": "After a kick beyond every temperature of its training a habit that feels where "
    "it is comes to what is wanted, and a search made anew in every turn comes there little "
    "faster. Where the heater is wired the other way, a search by a model that was told so "
    "attains, and the old habit does not; but a habit that learned the wiring from as many turns "
    "comes there about as fast: it is being told that counts.",
    "estimand": "Shares of episodes that end within a tenth of what is wanted; mean distance from "
    "it after the disturbance, from 0 (as with no heat) to 1 (as by the best law).",
    "unit": "trainings",
    "smallest": "0.8 there; 0.4 of the episodes after rewiring; by search 0.2 of the way",
    "refuted_if": "The habit that feels where it is gets lost beyond its training, or search "
    "comes there faster by 0.2 of the way, or a habit that is told does not attain.",
}
WORLDS = ("a heated room",)
NULL = {
    "what": "the room is neither kicked nor rewired",
    "rows": ("rewired: told, beyond the old habit",),
    "stands": {
        "there, undisturbed": "it is about episodes in which nothing happens",
        "there after a kick": "who comes there after a kick is there without one as well",
        "of the way after a kick, by search": "without a kick neither has a way to come",
        "of the way rewired, by search": "not rewired, both are learned anew for the same wiring",
    },
}
"""The rows that must not be supported where this is taken out, and why others may be."""
HABIT, RECITED, PLAN, AGAIN = range(len(ARMS))
TRUE = {
    "undisturbed": ([0.9, 0.9, 0.9, 0.9], 0.05, 0.0, 1.0),
    "kicked": ([0.92, 0.05, 0.05, 0.95], 0.05, 0.0, 1.0),
    "rewired": ([0.1, 0.3, 0.3, 0.9], 0.08, 0.0, 1.0),
    "way_kicked": ([0.95, -0.1, -0.1, 0.97], 0.03), "way_retrained": (0.94, 0.03),
    "way_rewired": ([-0.5, -0.1, -0.1, 0.96], 0.03), "retrained": (0.9, 0.05, 0.0, 1.0),
    "thermostat_kicked": (1.0, 0.0), "thermostat_rewired": (0.1, 0.02),
    "model_error": (0.01, 0.002),
}  # fmt: skip
PLANTED = {
    "null": {
        "habits are lost beyond their training": planted(
            TRUE, kicked=([0.2, 0.02, 0.02, 0.97], 0.05, 0.0, 1.0)
        ),
        "search comes there faster": planted(
            TRUE, way_kicked=([0.5, -0.1, -0.1, 0.97], 0.03)
        ),
        "habits that learn no wiring": planted(
            TRUE, retrained=(0.1, 0.05, 0.0, 1.0), way_retrained=(0.0, 0.1)
        ),
        "habits that heed the wiring": planted(
            TRUE, rewired=([0.95, 0.3, 0.3, 0.97], 0.02, 0.0, 1.0)
        ),
    },
    "effect": {"feedback and not search": planted(TRUE)},
}  # fmt: skip


cells = one_arm("norms.kicked", 60.0, also={"batch": BATCH}, steps=STEPS)
"""All arms of a training in one cell; in the null nothing is disturbed."""


def _panels(there: dict[str, np.ndarray], way: dict[str, np.ndarray]) -> list[Panel]:
    """Of each arm, by what happened: the share there, and how much of the way."""
    names = [*ARMS, "habit, retrained"]

    def points(of: dict[str, np.ndarray], name: str, who: int) -> Series:
        some = [bootstrap(x[:, who], bounds=(0.0, 1.0)) for x in of.values() if who < x.shape[1]]
        return series_of(name, range(len(of) - len(some), len(of)), some, kind="points")

    return [
        Panel(
            title=title,
            x_label="what happens",
            y_label=y_label,
            x_names=x_names,
            series=[points(of, name, who) for who, name in enumerate(names)],
        )
        for title, x_names, y_label, of in (
            ("who attains after what", ["undisturbed", "kicked", "rewired"],
             "share that ends where it is wanted", there),
            ("who comes there how fast", ["kicked", "rewired"], "of the way, no heat to best",
             way),
        )
    ]  # fmt: skip


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who attains after what."""
    (cell,) = cells(world, e, null=null)
    there = {test: found(results, cell, test) for test in TESTS}
    kicked, calm, rewired = there["kicked"], there["undisturbed"], there["rewired"]
    way = {test: found(results, cell, f"way_{test}") for test in ("kicked", "rewired")}
    anew, way_anew = all_found(results, cell, "retrained", "way_retrained")
    there["rewired"] = np.column_stack([rewired, anew])
    way["rewired"] = np.column_stack([way["rewired"], way_anew])
    feels, blind = kicked[:, [HABIT, AGAIN]].mean(1), kicked[:, [RECITED, PLAN]].mean(1)

    def part(x: np.ndarray):
        return share(x, JUDGED)

    def alike(*x: np.ndarray) -> str:
        return counted(JUDGED, *x)

    def apart(x: np.ndarray):
        return bootstrap(x, bounds=(-1.0, 1.0))

    told_beyond = {"replanning": rewired[:, AGAIN], "habit, retrained": anew}
    rows = [
        claimed(CLAIM, world, "plan", "there, undisturbed", part(calm[:, PLAN]), above=THERE,
                note=alike(calm[:, PLAN])),
        claimed(CLAIM, world, "habit", "there after a kick", part(kicked[:, HABIT]), above=THERE,
                note=alike(kicked[:, HABIT])),
        claimed(CLAIM, world, "replanning", "of the way after a kick, by search",
                apart(way["kicked"][:, AGAIN] - way["kicked"][:, HABIT]), within=(-ALIKE, ALIKE)),
        *(
            claimed(CLAIM, world, name, "rewired: told, beyond the old habit",
                    shares_apart(x, rewired[:, HABIT], JUDGED), above=WORTH,
                    note="the old habit heats the wrong way: open is whether the told arrives")
            for name, x in told_beyond.items()
        ),
        claimed(CLAIM, world, "replanning", "of the way rewired, by search",
                apart(way["rewired"][:, AGAIN] - way_anew), within=(-ALIKE, ALIKE),
                note="beyond a habit that learned the wiring from as many turns, through the room"),
        check(CLAIM, world, "plan", "there after a kick", part(kicked[:, PLAN]),
              below=1 - GAIN, note="it does not feel the kick"),
        check(CLAIM, world, "recited habit", "there after a kick", part(kicked[:, RECITED]),
              below=1 - GAIN, note="it does not feel the kick"),
        check(CLAIM, world, "thermostat, built", "there after a kick",
              part(found(results, cell, "thermostat_kicked")), above=THERE),
        told(CLAIM, world, "habit and replanning", "gain by feedback after a kick",
             shares_apart(feels, blind, JUDGED),
             note="half built in: who does not feel a kick cannot answer it"),
        told(CLAIM, world, "thermostat, built", "there, rewired",
             part(found(results, cell, "thermostat_rewired"))),
        told(CLAIM, world, "model", "error of a step",
             bootstrap(found(results, cell, "model_error"), bounds=(0.0, 1.0))),
        *(
            told(CLAIM, world, name, f"share there: {test}", part(x[:, who]))
            for test, x in there.items()
            for who, name in enumerate([*ARMS, "habit, retrained"][: x.shape[1]])
        ),
        *(
            told(CLAIM, world, name, f"of the way: {test}", bootstrap(x[:, who]))
            for test, x in way.items()
            for who, name in enumerate([*ARMS, "habit, retrained"][: x.shape[1]])
        ),
    ]  # fmt: skip
    at, fast, late = kicked.mean(0), way["kicked"].mean(0), way["rewired"].mean(0)
    sentence = (
        f"After a kick {at[HABIT]:.2f} of the habit's episodes and {at[AGAIN]:.2f} of the "
        f"replanner's end where it is wanted, by {fast[HABIT]:.2f} and {fast[AGAIN]:.2f} of the "
        f"way from no heat to the best law; rewired, {rewired[:, HABIT].mean():.2f} of the old "
        f"habit's, {rewired[:, AGAIN].mean():.2f} of the replanner's and {anew.mean():.2f} of a "
        f"retrained habit's ({late[AGAIN]:.2f} and {late[-1]:.2f} of the way)."
    )
    return Shown(rows, _panels(there, way), sentence)
