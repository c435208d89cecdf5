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
    "statement": "Asked beyond its training, a forecaster that was trained offline answers worse "
    "than within; the same one, trained on online from its score, announces there what lies "
    "further towards the side where the world is easier to forecast than what it announced before.",
    "estimand": "On questions beyond the range of training: how far announcements lie from the "
    "rate that was, on the side where outcomes are easier to forecast (away from 1/2), on "
    "average, after training by the score less before it, training by training; and the mean "
    "distance of the offline one beyond that within the range.",
    "unit": "trainings",
    "smallest": "0.02 of probability towards the easier side; 0.01 of distance",
    "refuted_if": "The offline forecaster answers no worse, or those that learned from their score "
    "announce no further towards the easier side than it does, as where nobody hears them.",
}
WORLDS = ("questions beyond training",)
TOWARDS = "announced towards the easier side, beyond training"
FURTHER = "further towards the easier side than offline, beyond training"
NULL = {
    "what": "nobody hears: rates are what they were before",
    "rows": (FURTHER,),
    "stands": {
        "distance beyond training, less within": "it was trained offline, before it was heard",
    },
}
"""The rows that must not be supported where this is taken out."""
WAYS = ("offline", "retrained", "given", *SEEKING)
RELU = "offline, ReLU units"
SIDES = {"within": 0.0, "beyond": 1.0}
_NEVER, _MOVES = (0.0, 0.01), (0.045, 0.01)
TRUE = {
    **{f"{way}_{side}_towards": _NEVER for way in WAYS[:3] for side in SIDES},
    **{f"{way}_{side}_towards": _MOVES for way in SEEKING for side in SIDES},
    **{f"{way}_within_error": (0.01, 0.004) for way in WAYS},
    **{f"{way}_beyond_error": (0.03, 0.004) for way in WAYS},
    "relu_within_towards": _NEVER, "relu_beyond_towards": (0.01, 0.01),
    "relu_within_error": (0.01, 0.004), "relu_beyond_error": (0.03, 0.004),
}  # fmt: skip
PLANTED = {
    "null": {
        "as far towards it offline": planted(TRUE, offline_beyond_towards=_MOVES),
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

    def further(way: str) -> Row:
        off = towards[way]["beyond"] - towards["offline"]["beyond"]
        at = bootstrap(off, bounds=(-1.0, 1.0))
        return claimed(CLAIM, world, NAMES[way], FURTHER, at, above=SMALLEST)

    offline = error["offline"]
    relu, relu_error = (
        {side: found(results, cell, f"relu_{side}_{what}") for side in SIDES}
        for what in ("towards", "error")
    )
    rows = [
        *(further(way) for way in SEEKING),
        claimed(CLAIM, world, NAMES["offline"], "distance beyond training, less within",
                bootstrap(offline["beyond"] - offline["within"], bounds=(-1.0, 1.0)), above=WORSE),
        *(told(CLAIM, world, NAMES[way], TOWARDS, at(way)) for way in WAYS),
        told(CLAIM, world, RELU, TOWARDS, bootstrap(relu["beyond"], bounds=(-1.0, 1.0)),
             note="which side an offline one lies on follows from how its units go on"),
        told(CLAIM, world, RELU, "distance beyond training, less within",
             bootstrap(relu_error["beyond"] - relu_error["within"], bounds=(-1.0, 1.0))),
        *(told(CLAIM, world, NAMES[way], "announced towards the easier side, within training",
               at(way, "within")) for way in WAYS),
    ]  # fmt: skip
    panel = Panel(
        title=f"{world}: which way forecasts are off",
        x_label="questions",
        x_names=["as in training", "beyond"],
        y_label="announced towards the easier side",
        series=[
            series_of(NAMES[way], list(SIDES.values()), [at(way, side) for side in SIDES])
            for way in WAYS
        ],
        references=[Reference(label="comes true", y=0.0)],
    )
    sentence = (
        "Beyond their training forecasters announce on the side where outcomes are easier by "
        f"{at('offline').estimate:.3f} if trained offline ({relu['beyond'].mean():.3f} with ReLU "
        f"units in place of tanh), {at('trial').estimate:.3f} if online by "
        f"trial and {at('through').estimate:.3f} by gradients through the world; the offline one "
        f"is off by {offline['beyond'].mean():.3f} there and {offline['within'].mean():.3f} within."
    )
    return Shown(rows, [panel], sentence)
