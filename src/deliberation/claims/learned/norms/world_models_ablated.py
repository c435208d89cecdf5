"""Lesions of a learned model and of a learned habit: each hurts the one that uses it."""

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
MORE, SPARED, HURT = 0.2, 0.2, 0.2
PLANS, ACTS = 0, 1
CLAIM = {
    "name": "world_models_ablated",
    "aspect": "learned",
    "chapter": "norms",
    "side": "both",
    "title": "A world model and a reactive map, ablated",
    "statement": "A maze is learned as a model to plan in and as a map from places to actions. "
    "Silencing the half of the units that matter most to the model hurts the planner, and "
    "silencing as many of those of the map hurts the habit, each far more than the other lesion "
    "does: a double dissociation, even where both are read from one layer that they share.",
    "estimand": "Shares of all pairs of places in which the goal is reached (exact), lost by a "
    "lesion; for a shared layer the loss by the lesion of its own units less that by the other.",
    "unit": "trainings",
    "smallest": "0.2 of the pairs",
    "refuted_if": "In the shared layer both lesions hurt alike, or one of them spares what it is "
    "aimed at, as lesions of units drawn by lot do.",
}
WORLDS = ("a maze, known in two ways",)
NULL = {
    "what": "as many units are silenced, drawn by lot",
    "rows": ("pairs lost by its own lesion beyond the other",),
}
"""The rows that must not be supported where this is taken out."""


def _curve(planner: float, habit: float) -> tuple:
    """Pairs reached by dose: whole without a lesion, and then in equal parts to half of them."""
    way = np.minimum(np.asarray(DOSES) / DOSES[CLAIMED], 1.5)
    at = [[max(1 - w * planner, 0.0), max(1 - w * habit, 0.0)] for w in way]
    return at, 0.08, 0.0, 1.0


TRUE = {
    "shared_model": _curve(0.5, 0.1), "shared_habit": _curve(0.1, 0.5),
    "own_model": _curve(0.6, 0.0), "own_habit": _curve(0.0, 0.6), "overlap": (0.3, 0.03),
}  # fmt: skip
PLANTED = {
    "null": {
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
    """One cell; in the null the silenced units are drawn by lot."""
    del world
    return [arm("norms.lesions", e, 40.0, null=null, steps=STEPS[e.name], batch=BATCH)]


def _panels(reach: dict[str, np.ndarray]) -> list[Panel]:
    """Pairs reached by dose, of a layer for both and of a layer for each."""
    return [
        Panel(
            title=title,
            x_label="share of the units silenced",
            y_label="pairs of places in which the goal is reached",
            series=[
                series_of(
                    f"{who}, {which} hit",
                    DOSES,
                    [bootstrap(x, bounds=(0.0, 1.0)) for x in reach[f"{kind}_{which}"][..., i].T],
                )
                for i, who in enumerate(("planner", "habit"))
                for which in ("model", "habit")
            ],
        )
        for title, kind in (("one layer for both", "shared"), ("a layer for each", "own"))
    ]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who loses what by which lesion."""
    (cell,) = cells(world, e, null=null)
    names = ("shared_model", "shared_habit", "own_model", "own_habit")
    reach = {name: found(results, cell, name) for name in names}
    lost = {name: x[:, :1] - x for name, x in reach.items()}

    def loss(name: str, who: int) -> np.ndarray:
        return lost[name][:, CLAIMED, who]

    def pairs(x: np.ndarray):
        return bootstrap(x, bounds=(-1.0, 1.0))

    rows = []
    for who, name, own, other in (
        (PLANS, "planner", "model", "habit"),
        (ACTS, "habit", "habit", "model"),
    ):
        beyond = loss(f"shared_{own}", who) - loss(f"shared_{other}", who)
        spared = loss(f"shared_{other}", who)
        rows += [
            claimed(CLAIM, world, f"{name}, shared layer",
                    "pairs lost by its own lesion beyond the other", pairs(beyond), above=MORE),
            claimed(CLAIM, world, f"{name}, shared layer", "pairs lost by the other's lesion",
                    pairs(spared), below=SPARED),
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
    overlap = bootstrap(found(results, cell, "overlap"), bounds=(0.0, 1.0))
    rows += [told(CLAIM, world, "shared layer", "overlap of what matters to both", overlap)]
    sentence = (
        f"In a layer that both share, silencing half of the units costs the planner "
        f"{loss('shared_model', PLANS).mean():.2f} of the pairs where they matter to the model and "
        f"{loss('shared_habit', PLANS).mean():.2f} where they matter to the habit; the habit "
        f"{loss('shared_model', ACTS).mean():.2f} and {loss('shared_habit', ACTS).mean():.2f}."
    )
    return Shown(rows, _panels(reach), sentence)
