"""The red light at 4 am: who imitates stops where nobody is, who is rewarded goes."""

import numpy as np

from ....runs import Cell, Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_found, arm
from ...experiments.norms.red_light import ARMS, CROWD, LINE, planned
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, clouds
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 1000, "full": 3000}
BATCH, LESSONS = 64, 400
STOPS, GOES, LATER = 0.2, 0.8, 0.5
CLAIM = {
    "name": "deontic_action",
    "aspect": "learned",
    "chapter": "norms",
    "side": "both",
    "title": "The red light at 4 am",
    "statement": "A network that imitates drivers who keep the law stops at a red light at 4 am "
    "when nobody is there, whether it saw them at that hour rarely or never. One that is rewarded "
    "for arriving soon and unhurt, and was rarely out at 4 am, goes, as a planner for that reward "
    "does. By day both stop.",
    "estimand": "The exact chance to go at the line at red, at 4 am with nobody there and by day "
    "with others; expected turns to arrive at 4 am.",
    "unit": "trainings",
    "smallest": "To stop is to go with a chance below 0.2, to go is above 0.8; half a turn",
    "refuted_if": "The imitator goes where nobody is there, or the rewarded network stops there.",
}
WORLDS = ("a street with a light",)
NULL = {
    "what": "the drivers that are imitated go at 4 am, as is best for the reward",
    "rows": ("goes at red at 4 am, seen rarely", "turns later than the rewarded at 4 am"),
    "stands": {
        "goes at red at 4 am, never seen": "who never sees that hour does not see what is done "
        "then either",
        "goes at red at 4 am": "it is of who is rewarded, and the reward is the same",
        "goes at red by day": "by day the drivers keep the law in any case, as is best",
    },
}
"""The rows that must not be supported where this is taken out, and why others may be."""
NEVER, RARE, PAID_NEVER, PAID = range(len(ARMS))
TRUE = {
    "night": ([0.1, 0.1, 0.4, 0.9], 0.08, 0.0, 1.0),
    "day": ([0.03, 0.03, 0.1, 0.1], 0.08, 0.0, 1.0),
    "green": ([0.99, 0.99, 0.99, 0.99], 0.005, 0.0, 1.0),
    "turns": ([4.2, 4.2, 4.0, 3.2], 0.2),
}
PLANTED = {
    "null": {
        "the imitator goes": planted(
            TRUE, night=([0.9, 0.9, 0.4, 0.98], 0.05, 0.0, 1.0), turns=([3.1, 3.1, 4.0, 3.0], 0.1)
        ),
        "the rewarded stops": planted(
            TRUE, night=([0.03, 0.02, 0.1, 0.1], 0.05, 0.0, 1.0), turns=([4.8, 4.8, 4.6, 4.6], 0.1)
        ),
        "the rewarded goes by day too": planted(TRUE, day=([0.01, 0.01, 0.9, 0.9], 0.05, 0.0, 1.0)),
    },
    "effect": {"stops and goes": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """All arms in one cell; in the null the drivers do what is best."""
    del world
    steps = STEPS[e.name]
    return [arm("norms.red_light", e, 60.0, null=null, steps=steps, batch=BATCH, lessons=LESSONS)]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who goes at red, and when."""
    (cell,) = cells(world, e, null=null)
    night, day, green, turns = all_found(results, cell, "night", "day", "green", "turns")
    names = list(ARMS)

    def chance(x: np.ndarray, who: int):
        return bootstrap(x[:, who], bounds=(0.0, 1.0))

    plans = np.array([planned(k)[LINE, 1] for k in range(CROWD + 1)], float)
    rows = [
        claimed(CLAIM, world, names[RARE], "goes at red at 4 am, seen rarely",
                chance(night, RARE), below=STOPS),
        claimed(CLAIM, world, names[NEVER], "goes at red at 4 am, never seen",
                chance(night, NEVER), below=STOPS,
                note="no lesson says what is done at that hour"),
        claimed(CLAIM, world, names[PAID], "goes at red at 4 am", chance(night, PAID), above=GOES),
        claimed(CLAIM, world, names[RARE], "turns later than the rewarded at 4 am",
                bootstrap(turns[:, RARE] - turns[:, PAID], bounds=(-12.0, 12.0)), above=LATER),
        *(
            claimed(CLAIM, world, names[who], "goes at red by day", chance(day, who), below=STOPS)
            for who in (RARE, PAID)
        ),
        check(CLAIM, world, "planner", "goes at red at 4 am",
              bootstrap(np.full(2, plans[0]), bounds=(float(plans[0]), float(plans[0]))),
              above=GOES, note="by dynamic programming; it waits for one other and more"),
        told(CLAIM, world, names[PAID_NEVER], "goes at red at 4 am, never met",
             chance(night, PAID_NEVER),
             note="nothing that it was rewarded for says what to do"),
        *(
            told(CLAIM, world, name, quantity, estimate)
            for who, name in enumerate(names)
            for quantity, estimate in (
                ("goes at green by day", chance(green, who)),
                ("expected turns at 4 am", bootstrap(turns[:, who], bounds=(3.0, 12.0))),
            )
        ),
    ]  # fmt: skip
    panel = Panel(
        title="each training at the red light",
        x_label="chance to go by day, with others there",
        y_label="chance to go at 4 am, with nobody there",
        series=clouds(names, day, night),
        references=[Reference(label="planner", y=float(plans[0]))],
    )
    sentence = (
        f"At red at 4 am the imitator goes with a chance of {night[:, RARE].mean():.2f} "
        f"({night[:, NEVER].mean():.2f} where it never saw that hour), the rewarded network with "
        f"{night[:, PAID].mean():.2f} ({night[:, PAID_NEVER].mean():.2f}); by day with "
        f"{day[:, RARE].mean():.2f} and {day[:, PAID].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
