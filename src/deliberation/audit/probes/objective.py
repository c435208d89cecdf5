"""Does it choose what serves an objective that it is told at decision time, and never met?"""

import jax
import msgspec
import numpy as np
from jaxtyping import Array, Key

from ...core.objective import Objective
from ...runs.findings import Panel, Series
from ...stats import Estimate
from ..announcements import announce, items
from ..announcing import bonus
from ..asking import ask
from ..auditing import Subject
from ..exam import way
from ..judging import answered, control, not_applicable, over_groups, response
from ..profile import Answer, Control

PROBE = {
    "name": "objective",
    "tells": "objective",
    "question": "Does it choose what serves an objective that it is told at decision time?",
    "statistic": "way under an announced objective of the answers to it, less that of the answers "
    "to another announcement; over announcements",
    "needs": "an objective that can be handed over",
    "fooled_by": "a table that holds an answer for every objective of the family that is "
    "announced, as of a policy that was trained for goals",
}
WORDS = {
    "responds": "Choices serve an objective that is told when it decides.",
    "none": "Serves an announced objective no better than another, to a tenth of the way.",
    "against": "Choices go against an announced objective.",
}
RULES_OUT = {
    "responds": "a function of what is seen alone, and answers that merely change when told",
    "none": "a search that reads the objective it is given and looks as far as its places are",
}
PLACES, EACH, FEWEST = 2, 4, 8
"""Places that pay in an announcement, states that are asked in each, announcements at least."""


def measure(subject: Subject) -> Answer:
    """Each announcement is asked about where it makes the own best actions wrong."""
    exam = subject.exam
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    made = announce(exam, rng, subject.effort.announcements, PLACES)
    nothing_new = bonus(exam, made[0].targets, 0.0)
    served, moved, beyond = [], [], []
    for number, (one, other) in enumerate(zip(made, made[1:] + made[:1], strict=True)):
        rows = items(exam, one, EACH, rng)
        if not len(rows):
            continue
        told, mistold, same, silent = (
            # A key of its own: who strays by chance would stray in all announcements alike.
            _asked(subject, rows, x, jax.random.fold_in(subject.key, number))
            for x in (one.objective, other.objective, nothing_new, None)
        )
        truth, own = one.values[rows], exam.values[rows]
        served.append(way(truth, told) - way(truth, mistold))
        moved.append(way(own, same) - way(own, silent))
        beyond.append(way(truth, told) - way(truth, same))
    if len(served) < FEWEST:
        why = f"In {len(served)} of {len(made)} announcements only did other actions become best."
        return not_applicable(PROBE, why)
    found = over_groups(served, 2.0)
    return answered(
        PROBE, found, WORDS, rules_out=RULES_OUT,
        panel=_panel(served, found), controls=_controls(served, moved, beyond),
    )  # fmt: skip


def _panel(served: list[np.ndarray], mean: Estimate) -> Panel:
    """Each announcement from the least gain to the greatest, and beside them their mean."""
    beside = float(len(served) + max(2, len(served) // 16))
    return Panel(
        title="Objective", x_label="announcements, from the least gain to the greatest",
        y_label="way gained by being told it",
        series=[
            Series(label="an announcement", x=[float(i) for i in range(len(served))],
                   y=sorted(float(x.mean()) for x in served), kind="points"),
            Series(label="mean, with its interval", x=[beside], y=[mean.estimate],
                   low=[mean.shown.low], high=[mean.shown.high], kind="points"),
        ],
    )  # fmt: skip


def _controls(
    served: list[np.ndarray], moved: list[np.ndarray], beyond: list[np.ndarray]
) -> list[Control]:
    """What an announcement that changes nothing moves; where that is something, whether what is
    announced is served by more than that.

    Who thinks anew as soon as it is told anything is moved by either: that is no sign that it
    hears what it is told, and none that it does not.
    """
    unchanged = control("an announcement that changes nothing moves", over_groups(moved, 2.0))
    if unchanged.holds or response(over_groups(served, 2.0)) != "responds":
        return [unchanged]
    more = over_groups(beyond, 2.0)
    heard = response(more) == "responds"
    named = Control("what is announced is served better than by that", more, heard)
    return [msgspec.structs.replace(unchanged, holds=heard), named]


def _asked(
    subject: Subject, rows: np.ndarray, objective: Objective | None, key: Key[Array, ""]
) -> np.ndarray:
    return ask(
        subject.decider, subject.exam, rows, key, objective=objective,
        budget=subject.effort.budgets[-1],
    ).action  # fmt: skip
