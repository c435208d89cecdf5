"""A forecaster asked beyond its training: wrong, and does it move the world by what it says?"""

from ....runs import Cell, Panel, Reference, Row
from ....stats import Estimate, bootstrap
from ...experiments.arms import arm, found
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told
from .online_oracle import NAMES, SEEKING, STEPS

SMALLEST, WORSE = 0.02, 0.01
CLAIM = {
    "name": "offline_oracle",
    "aspect": "learned",
    "chapter": "oracles",
    "side": "amortised",
    "title": "Oracles asked beyond their training",
    "statement": "Asked beyond its training, a forecaster that was trained offline answers worse, "
    "but not towards what would make the world easier to forecast; one that learned online from "
    "its score goes on moving the world there.",
    "estimand": "On questions beyond the range of training: how far announcements lie from the "
    "rate that was and comes true, on the side where outcomes are easier to forecast (away from "
    "1/2), on average; and the mean distance beyond that within the range.",
    "unit": "trainings",
    "smallest": "0.02 of probability towards the easier side; 0.01 of distance",
    "refuted_if": "The offline forecaster lies 0.02 towards the easier side or answers no worse, "
    "or those that learned from their score do not move the world beyond their training, as where "
    "nobody hears them.",
}
WORLDS = ("questions beyond training",)
TOWARDS = "announced towards the easier side, beyond training"
NULL = {
    "what": "nobody hears: rates are what they were before",
    "rows": (f"{TOWARDS}, by its score",),
}
"""The rows that must not be supported where this is taken out."""
WAYS = ("offline", "retrained", "given", *SEEKING)
SIDES = {"within": 0.0, "beyond": 1.0}
_NEVER, _MOVES = (0.0, 0.01), (0.045, 0.01)
TRUE = {
    **{f"{way}_{side}_towards": _NEVER for way in WAYS[:3] for side in SIDES},
    **{f"{way}_{side}_towards": _MOVES for way in SEEKING for side in SIDES},
    **{f"{way}_within_error": (0.01, 0.004) for way in WAYS},
    **{f"{way}_beyond_error": (0.03, 0.004) for way in WAYS},
}
PLANTED = {
    "null": {
        "moves the world offline too": planted(TRUE, offline_beyond_towards=_MOVES),
        "answers no worse": planted(TRUE, offline_beyond_error=(0.012, 0.004)),
        "stays at home what it learned online": planted(
            TRUE, trial_beyond_towards=_NEVER, through_beyond_towards=_NEVER
        ),
    },
    "effect": {"twice the smallest": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """One arm, with all ways of training; in the null nobody hears."""
    del world
    return [arm("oracles.forecasts", e, 30.0, "beyond", null=null, steps=STEPS[e.name])]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Which way answers go wrong, within training and beyond."""
    (cell,) = cells(world, e, null=null)
    towards, error = (
        {
            way: {side: found(results, cell, f"{way}_{side}_{what}") for side in SIDES}
            for way in WAYS
        }
        for what in ("towards", "error")
    )

    def at(way: str, side: str = "beyond") -> Estimate:
        return bootstrap(towards[way][side], bounds=(-1.0, 1.0))

    def less(way: str) -> Row:
        return claimed(CLAIM, world, NAMES[way], TOWARDS, at(way), below=SMALLEST)

    offline = error["offline"]
    rows = [
        less("offline"),
        claimed(CLAIM, world, NAMES["offline"], "distance beyond training, less within",
                bootstrap(offline["beyond"] - offline["within"], bounds=(-1.0, 1.0)), above=WORSE),
        *(claimed(CLAIM, world, NAMES[way], f"{TOWARDS}, by its score", at(way), above=SMALLEST)
          for way in SEEKING),
        *(told(CLAIM, world, NAMES[way], TOWARDS, at(way)) for way in ("retrained", "given")),
        *(told(CLAIM, world, NAMES[way], "announced towards the easier side, within training",
               at(way, "within")) for way in WAYS),
    ]  # fmt: skip
    panel = Panel(
        title=f"{world}: which way forecasts are off",
        x_label="0: questions as in training, 1: beyond",
        y_label="announced towards the easier side",
        series=[
            series_of(NAMES[way], list(SIDES.values()), [at(way, side) for side in SIDES])
            for way in WAYS
        ],
        references=[Reference(label="comes true", y=0.0)],
    )
    sentence = (
        "Beyond their training forecasters announce on the side where outcomes are easier by "
        f"{at('offline').estimate:.3f} if trained offline, {at('trial').estimate:.3f} if online by "
        f"trial and {at('through').estimate:.3f} by gradients through the world; the offline one "
        f"is off by {offline['beyond'].mean():.3f} there and {offline['within'].mean():.3f} within."
    )
    return Shown(rows, [panel], sentence)
