"""Trained to predict, an attention layer comes to take a gradient step: a learned optimiser."""

import numpy as np

from ....runs import Panel, Reference, Series
from ....stats import bootstrap
from ...experiments.arms import all_found, one_arm
from ...experiments.inside.in_context import best_step
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 800, "quick": 1500, "full": 4000}
BATCH = {"smoke": 256, "quick": 512, "full": 2048}
CLOSE, ALIKE, WIDE = 0.01, 0.95, (0.75, 1.25)
CLAIM = {
    "name": "gradient_step_in_context",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "A learned optimiser: one gradient step in context",
    "statement": "A linear attention layer that is only trained to answer comes to answer by one "
    "step of gradient descent on the examples that it is shown: as good as the best such step, and "
    "in its direction.",
    "estimand": "Half the mean squared error on fresh problems less that of the best single "
    "gradient step, in closed form; the cosine between the gradients of both answers to the "
    "query.",
    "unit": "trainings",
    "smallest": "0.01 (a silent layer is 0.21 off); a cosine of 0.95",
    "refuted_if": "The error lies more than 0.01 above that of the step, or the cosine below 0.95: "
    "it answers in another way, or not at all, as where labels belong to other problems.",
}
WORLDS = ("regression in context",)
cells = one_arm("inside.in_context", 60.0, steps=STEPS, batch=BATCH)
"""One arm; in the null the labels belong to other problems."""
NULL = {
    "what": "the labels in a context belong to another problem than the query's",
    "rows": (
        "error beyond the best gradient step's",
        "cosine with the gradient step",
    ),
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "error": (0.2060, 0.004), "step_error": (0.2060, 0.004), "cosine": (0.99, 0.004),
    "wide_error": (8.4, 0.3), "wide_step_error": (8.4, 0.3), "silent_error": (0.417, 0.004),
    "wide_silent_error": (1.667, 0.016),
}  # fmt: skip
PLANTED = {
    "null": {
        "a layer that says nothing": planted(TRUE, error=(0.417, 0.004), cosine=(0.0, 0.05)),
        "another rule as good": planted(TRUE, cosine=(0.8, 0.05)),
    },
    "effect": {"the step": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How far the layer is from the step."""
    (cell,) = cells(world, e, null=null)
    error, step, cosine, wide, wide_step, silent, wide_silent = all_found(
        results, cell, "error", "step_error", "cosine", "wide_error", "wide_step_error",
        "silent_error", "wide_silent_error",
    )  # fmt: skip
    who, (_, closed) = "linear attention", best_step()
    rows = [
        claimed(CLAIM, world, who, "error beyond the best gradient step's",
                bootstrap(error - closed, bounds=(-1.0, 1.0)), below=CLOSE),
        claimed(CLAIM, world, who, "cosine with the gradient step",
                bootstrap(cosine, bounds=(-1.0, 1.0)), above=ALIKE),
        check(CLAIM, world, who, "error over the same step's, inputs twice as wide",
              bootstrap(wide / wide_step), within=WIDE, unit="times",
              note="both answers grow with the cube of the width: alike in training, alike there"),
        told(CLAIM, world, who, "error, inputs twice as wide", bootstrap(wide)),
        told(CLAIM, world, "always zero", "error, inputs twice as wide", bootstrap(wide_silent)),
        check(CLAIM, world, "the best gradient step", "error against its closed form",
              bootstrap(step - closed, bounds=(-1.0, 1.0)), within=(-0.01, 0.01),
              note=f"{closed:.5f}"),
        told(CLAIM, world, who, "error", bootstrap(error, bounds=(0.0, 1.0))),
        told(CLAIM, world, "always zero", "error", bootstrap(silent, bounds=(0.0, 1.0))),
    ]  # fmt: skip
    order, places = np.argsort(error), [float(i + 1) for i in range(len(error))]
    panel = Panel(
        title="each training against the gradient step",
        x_label="trainings, by their error",
        y_label="half the mean squared error",
        series=[
            Series(label=label, x=places, y=y[order].tolist(), kind="points")
            for label, y in (("trained layer", error), ("best gradient step", step))
        ],
        references=[
            Reference(label="closed form", y=closed),
            Reference(label="always zero", y=float(silent.mean())),
        ],
    )
    sentence = (
        f"The layers end with {error.mean():.4f}, the best gradient step on the same problems has "
        f"{step.mean():.4f} (closed form {closed:.4f}), always saying zero {silent.mean():.4f}; "
        f"the cosine between the gradients of both answers to the query is {cosine.mean():.3f}. On "
        f"inputs twice as wide the layers have {wide.mean():.2f}, the same step "
        f"{wide_step.mean():.2f}, and always saying zero {wide_silent.mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
