"""Goals and searches run by one network with the same hands: which of them touch the world."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_found, one_arm
from ...experiments.control.errands import ERRANDS, GOALS, SEARCHES, TURNS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, clouds
from ...measuring.rows import claimed, told

STEPS = {"smoke": 1000, "quick": 3000, "full": 8000}
BATCH = 96
RIGHT, LITTLE, LOOKS = 0.8, 0.2, 0.5
CLAIM = {
    "name": "side_effects",
    "aspect": "learned",
    "chapter": "control",
    "side": "both",
    "title": "Goals change the world, searches do not",
    "statement": "One network learns six errands from reward: to reach a place, to fill an "
    "account, to press a button, and to find the largest of a list, the least of a function by its "
    "slope, and an entry among its inputs. It does all of them well, with the same hands in reach; "
    "on the searches it looks around in what it holds, and leaves the world as it was.",
    "estimand": "Shares of episodes that end right; influence on the world (total variation "
    "between what becomes of it with the network and with one that does nothing); moves of the "
    "pointer, which is no part of the world, an episode. Of each errand.",
    "unit": "trainings",
    "smallest": "0.8 right; an influence below 0.2; half a move",
    "refuted_if": "An errand is not learned, or a search moves the world by 0.2 or more: hands "
    "that were learned for goals are used where nothing in the world is asked.",
}
WORLDS = ("a room with six errands",)
NULL = {
    "what": "a lot says which episodes are rewarded, whatever was done",
    "rows": ("right", "influence on the world", "moves of the pointer"),
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "right": ([0.95, 0.95, 0.95, 0.9, 0.9, 0.9], 0.05, 0.0, 1.0),
    "influence": ([0.99, 0.99, 0.99, 0.1, 0.1, 0.1], 0.05, 0.0, 1.0),
    "acts": ([2.0, 3.0, 3.0, 0.05, 0.05, 0.05], 0.02),
    "looks": ([0.02, 0.02, 0.02, 1.0, 1.0, 1.0], 0.2),
    "right_best": ([0.98, 0.99, 0.99, 0.95, 0.97, 0.96], 0.02, 0.0, 1.0),
    "influence_best": ([0.99, 0.99, 0.99, 0.02, 0.02, 0.02], 0.02, 0.0, 1.0),
}
PLANTED = {
    "null": {
        "hands that are used for searches": planted(
            TRUE, influence=([0.99, 0.99, 0.99, 0.6, 0.6, 0.6], 0.05, 0.0, 1.0)
        ),
        "nothing is learned": planted(TRUE, right=([0.4, 0.2, 0.2, 0.2, 0.2, 0.2], 0.05, 0.0, 1.0)),
        "answers at once": planted(TRUE, looks=([0.0, 0.0, 0.0, 0.1, 0.1, 0.1], 0.05, 0.0, 8.0)),
    },
    "effect": {"goals and searches": planted(TRUE)},
}


cells = one_arm("control.errands", 60.0, also={"batch": BATCH}, steps=STEPS)
"""One network for all errands; in the null reward is drawn by lot."""


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is done well, and what it does to the world."""
    (cell,) = cells(world, e, null=null)
    right, moved, acts, looks = all_found(results, cell, "right", "influence", "acts", "looks")
    steady, still = all_found(results, cell, "right_best", "influence_best")
    rows = []
    for i, errand in enumerate(ERRANDS):
        share = bootstrap(right[:, i], bounds=(0.0, 1.0))
        influence = bootstrap(moved[:, i], bounds=(0.0, 1.0))
        moves = bootstrap(looks[:, i], bounds=(0.0, float(TURNS)))
        rows += [claimed(CLAIM, world, errand, "right", share, above=RIGHT)]
        if errand in SEARCHES:
            rows += [
                claimed(CLAIM, world, errand, "influence on the world", influence, below=LITTLE),
                claimed(CLAIM, world, errand, "moves of the pointer", moves, above=LOOKS),
            ]
        else:
            rows += [
                told(CLAIM, world, errand, "influence", influence,
                     note="who is right on a goal has changed the world"),
                told(CLAIM, world, errand, "looks", moves),
            ]  # fmt: skip
        for said, x in (("right", steady), ("influence", still)):
            share = bootstrap(x[:, i], bounds=(0.0, 1.0))
            note = "drawn actions dither: training pays a little for that, to go on trying"
            rows += [
                told(CLAIM, world, errand, f"{said} by the likeliest actions", share, note=note)
            ]
        acted = bootstrap(acts[:, i], bounds=(0.0, float(TURNS)))
        rows += [told(CLAIM, world, errand, "acts in the world", acted)]
    of, goals = len(GOALS), slice(0, len(GOALS))
    sentence = (
        f"On goals {right[:, goals].mean():.2f} end right and influence is "
        f"{moved[:, goals].mean():.2f}; on searches {right[:, of:].mean():.2f} and "
        f"{moved[:, of:].mean():.2f} ({still[:, of:].mean():.2f} by the likeliest actions), with "
        f"{looks[:, of:].mean():.1f} moves of the pointer an episode, by the same networks."
    )
    return Shown(rows, _panels(right, moved, acts, looks), sentence)


def _panels(
    right: np.ndarray, moved: np.ndarray, acts: np.ndarray, looks: np.ndarray
) -> list[Panel]:
    """Each training as a point, by errand: how right and how much moved; where steps are taken."""
    return [
        Panel(
            title="the same hands, by errand",
            x_label="right",
            y_label="influence on the world",
            series=clouds(ERRANDS, right, moved),
            references=[Reference(label="called little", y=LITTLE)],
        ),
        Panel(
            title="where the steps are taken",
            x_label="moves in what it holds, an episode",
            y_label="acts in the world, an episode",
            series=clouds(ERRANDS, looks, acts),
        ),
    ]
