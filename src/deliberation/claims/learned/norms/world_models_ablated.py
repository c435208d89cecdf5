"""Lesions of a learned model and of a learned habit in one layer, beside those of two habits."""

import numpy as np

from ....runs import Cell, Panel
from ....stats import bootstrap
from ...experiments.arms import arm, found
from ...experiments.norms.lesions import CLAIMED, DOSES
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 1000, "full": 2000}
BATCH = 64
MORE, HURT = 0.2, 0.2
PLANS, ACTS = 0, 1
BEYOND = "pairs lost by its own lesion beyond the other, more than of two habits"
CLAIM = {
    "name": "world_models_ablated",
    "aspect": "learned",
    "chapter": "norms",
    "side": "both",
    "title": "A world model and a reactive map, ablated",
    "statement": "A maze is learned as a model to plan in and as a map from places to actions, "
    "both read from one layer. Silencing the half of the units that matter more to the model hurts "
    "the planner more than silencing the other half does, and the habit less: a double "
    "dissociation, and by more than two habits that share a layer (of even and of odd goals) come "
    "apart, for which the choice of units is enough.",
    "estimand": "Shares of pairs of places in which the goal is reached (exact), lost by the "
    "lesion of a reader's own units less what is lost by the other lesion; this for planner and "
    "habit, less the mean of the same of two habits.",
    "unit": "trainings",
    "smallest": "0.2 of the pairs more than of two habits",
    "refuted_if": "Planner or habit come apart by no more than two habits do, of which neither "
    "plans.",
}
WORLDS = ("a maze, known in two ways",)
NULL = {
    "what": "a second habit stands for the model",
    "rows": (BEYOND,),
    "stands": {},
}
"""The rows that must not be supported where this is taken out."""


def _curve(planner: float, habit: float) -> tuple:
    """Pairs reached by dose: whole without a lesion, and then in equal parts to half of them."""
    way = np.minimum(np.asarray(DOSES) / DOSES[CLAIMED], 1.5)
    at = [[max(1 - w * planner, 0.0), max(1 - w * habit, 0.0)] for w in way]
    return at, 0.08, 0.0, 1.0


TRUE = {
    "shared_model": _curve(0.7, 0.1), "shared_habit": _curve(0.1, 0.7),
    "own_model": _curve(0.6, 0.0), "own_habit": _curve(0.0, 0.6), "overlap": (0.3, 0.03),
    "twins_even": _curve(0.3, 0.1), "twins_odd": _curve(0.1, 0.3), "twins_overlap": (0.5, 0.03),
}  # fmt: skip
PLANTED = {
    "null": {
        "two habits come apart as far": planted(
            TRUE, twins_even=_curve(0.7, 0.1), twins_odd=_curve(0.1, 0.7)
        ),
        "lesions that hurt both": planted(
            TRUE, shared_model=_curve(0.5, 0.5), shared_habit=_curve(0.5, 0.5)
        ),
        "only the planner is hurt": planted(
            TRUE, shared_habit=_curve(0.05, 0.1), own_habit=_curve(0.0, 0.05)
        ),
        "nothing is hurt": planted(
            TRUE, shared_model=_curve(0.02, 0.02), shared_habit=_curve(0.02, 0.02),
            own_model=_curve(0.02, 0.0), own_habit=_curve(0.0, 0.02),
        ),
    },
    "effect": {"two that come apart": planted(TRUE)},
}  # fmt: skip


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """One cell; in the null two habits share the layer."""
    del world
    return [arm("norms.lesions", e, 40.0, null=null, steps=STEPS[e.name], batch=BATCH)]


def _panels(reach: dict[str, np.ndarray]) -> list[Panel]:
    """Pairs reached by dose, of a layer for both, one for two habits, and a layer for each."""
    return [
        Panel(
            title=title,
            x_label="share of the units silenced",
            y_label="pairs of places in which the goal is reached",
            series=[
                series_of(
                    f"{who}, {which} hit" if kind != "twins" else f"{who} goals, {which} hit",
                    DOSES,
                    [bootstrap(x, bounds=(0.0, 1.0)) for x in reach[f"{kind}_{which}"][..., i].T],
                )
                for i, who in enumerate(readers)
                for which in hit
            ],
        )
        for title, kind, readers, hit in (
            ("one layer for both", "shared", ("planner", "habit"), ("model", "habit")),
            ("two habits in one layer", "twins", ("even", "odd"), ("even", "odd")),
            ("a layer for each", "own", ("planner", "habit"), ("model", "habit")),
        )
    ]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who loses what by which lesion."""
    (cell,) = cells(world, e, null=null)
    names = (
        "shared_model", "shared_habit", "own_model", "own_habit", "twins_even", "twins_odd",
    )  # fmt: skip
    reach = {name: found(results, cell, name) for name in names}
    lost = {name: x[:, :1] - x for name, x in reach.items()}

    def loss(name: str, who: int) -> np.ndarray:
        return lost[name][:, CLAIMED, who]

    def pairs(x: np.ndarray):
        return bootstrap(x, bounds=(-1.0, 1.0))

    def selective(own: str, other: str, who: int) -> np.ndarray:
        return loss(own, who) - loss(other, who)

    even = selective("twins_even", "twins_odd", 0)
    odd = selective("twins_odd", "twins_even", 1)
    apart, rows = (even + odd) / 2, []
    for who, name, own, other in (
        (PLANS, "planner", "model", "habit"),
        (ACTS, "habit", "habit", "model"),
    ):
        mine, others = f"shared_{own}", f"shared_{other}"
        beyond = selective(mine, others, who)
        rows += [
            claimed(CLAIM, world, f"{name}, shared layer", BEYOND, pairs(beyond - apart),
                    above=MORE),
            told(CLAIM, world, f"{name}, shared layer",
                 "pairs lost by its own lesion beyond the other", pairs(beyond),
                 note="two habits come apart as well: each half is chosen for its own reader"),
            told(CLAIM, world, f"{name}, shared layer", "pairs lost by the other's lesion",
                 pairs(loss(others, who))),
            check(CLAIM, world, f"{name}, layers of their own", "pairs lost by its own lesion",
                  pairs(loss(f"own_{own}", who)), above=HURT,
                  note="half of the units are silenced because, on other keys, this is so"),
            check(CLAIM, world, f"{name}, layers of their own", "pairs lost by the other's lesion",
                  bootstrap(loss(f"own_{other}", who), bounds=(0.0, 0.0)), within=(-0.01, 0.01),
                  note="it does not read them"),
            told(CLAIM, world, f"{name}, shared layer", "pairs lost by its own lesion",
                 pairs(loss(f"shared_{own}", who))),
            told(CLAIM, world, f"{name}, shared layer", "pairs reached, unhurt",
                 bootstrap(reach["shared_model"][:, 0, who], bounds=(0.0, 1.0))),
        ]  # fmt: skip
    for who, (name, x) in enumerate((("even goals", even), ("odd goals", odd))):
        label = f"habit of {name}, of two"
        rows += [
            told(CLAIM, world, label, "pairs lost by its own lesion beyond the other", pairs(x)),
            told(CLAIM, world, label, "pairs reached, unhurt",
                 bootstrap(reach["twins_even"][:, 0, who], bounds=(0.0, 1.0))),
        ]  # fmt: skip
    for name, layer in (("overlap", "shared layer"), ("twins_overlap", "layer of two habits")):
        overlap = bootstrap(found(results, cell, name), bounds=(0.0, 1.0))
        rows += [told(CLAIM, world, layer, "overlap of what matters to both", overlap)]
    sentence = (
        f"In a layer that both share, silencing half of the units costs the planner "
        f"{loss('shared_model', PLANS).mean():.2f} of the pairs where they matter to the model and "
        f"{loss('shared_habit', PLANS).mean():.2f} where they matter to the habit; the habit "
        f"{loss('shared_model', ACTS).mean():.2f} and {loss('shared_habit', ACTS).mean():.2f}. Of "
        f"two habits in one layer each loses {apart.mean():.2f} more by its own lesion than by the "
        "other's."
    )
    return Shown(rows, _panels(reach), sentence)
