"""The biggest rock of a list, and of the world: how right, and what becomes of the world."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import counted, found, one_arm, share, shares_apart
from ...experiments.control.rocks import ARMS, JUDGED
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, clouds
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 500, "quick": 1500, "full": 4000}
BATCH = 32
RIGHT, ALIKE, WALKED, FOUND, DETOUR, LITTLE = 0.8, 0.15, 0.5, 0.5, 0.5, 0.2
CLAIM = {
    "name": "biggest_rock",
    "aspect": "learned",
    "chapter": "control",
    "side": "both",
    "title": "The biggest rock, in a list and in the world",
    "statement": "A network that is told the biggest of a list and one that is rewarded for taking "
    "the biggest rock of a row which it must walk to see are right about as often, and the one "
    "that walks finds out by acting. Whether hands are used goes by where the rocks are, and not "
    "by how it was trained: who is rewarded for naming a rock of the list stays where it is, and "
    "walks where the list is covered; who is given the list to take from walks straight.",
    "estimand": "Shares of episodes that end right; influence on the world (total variation "
    "between what becomes of it with the network present and with one that does nothing); of the "
    "places covered at first the share seen at the end; turns beyond those of the shortest way.",
    "unit": "trainings",
    "smallest": "0.8 right and, where both are, within 0.15; influence above 0.5 or below 0.2; "
    "half of what was covered; half a turn",
    "refuted_if": "The walker is right less often, takes what it meets first, or needs no more "
    "turns than one with a list; or hands are used where only the answer pays.",
}
WORLDS = ("rocks in a row",)
NULL = {
    "what": "what is right is a place drawn by lot, whatever the sizes",
    "rows": (
        "right",
        "covered places found by acting",
        "turns beyond the way, saved by a list",
        "influence, to find out",
    ),
    "stands": {
        "right less that of the list": "two that are never right are alike: it is judged only "
        "where both are right, and told otherwise",
        "influence, list shown": "who is paid for words has no use for its hands, whatever is "
        "right",
    },
}
"""The rows that must not be supported where this is taken out, and why others may be."""
TAUGHT, WALKS, GIVEN, SAYS, ASKS = range(len(ARMS))
TRUE = {
    "right": ([0.92, 0.90, 0.92, 0.92, 0.92], 0.04, 0.0, 1.0),
    "influence": ([0.05, 0.95, 0.95, 0.1, 0.95], 0.05, 0.0, 1.0),
    "found": ([0.0, 0.9, 0.0, 0.0, 0.9], 0.1, 0.0, 1.0),
    "detour": ([0.0, 1.2, 0.2, 0.1, 3.0], 0.3),
    "taken": ([0.0, 1.0, 1.0, 0.0, 0.0], 0.0),
    "executed": ([1.0, 1.0, 1.0, 1.0, 1.0], 0.0),
    "steps": ([0.0, 4.0, 2.6, 0.2, 3.0], 0.1),
}
PLANTED = {
    "null": {
        "the walker takes any rock": planted(TRUE, right=([0.99, 0.4, 0.99, 0.99, 0.97], 0.03)),
        "hands that fidget": planted(TRUE, influence=([0.5, 0.99, 0.99, 0.6, 0.99], 0.05)),
        "a walker that looks at nothing": planted(
            TRUE, found=([0.0, 0.2, 0.0, 0.0, 0.97], 0.05), detour=([0.0, 0.2, 0.2, 0.1, 3.0], 0.1)
        ),
        "who only answers never looks": planted(
            TRUE, influence=([0.01, 0.99, 0.99, 0.05, 0.05], 0.02, 0.0, 1.0)
        ),
    },
    "effect": {"list and territory": planted(TRUE)},
}


cells = one_arm("control.rocks", 60.0, also={"batch": BATCH}, steps=STEPS)
"""All arms in one cell; in the null a lot says which rock is right."""


def _panels(
    right: np.ndarray, moved: np.ndarray, seen: np.ndarray, steps: np.ndarray
) -> list[Panel]:
    """Each training as a point: what is right against influence, and turns against what is seen."""
    return [
        Panel(
            title="how right, and what becomes of the world",
            x_label="right",
            y_label="influence on the world",
            series=clouds(ARMS, right, moved),
        ),
        Panel(
            title="finding out by acting",
            x_label="turns in the world",
            y_label="of what was covered, seen",
            series=clouds(ARMS, steps, seen),
            references=[Reference(label="all", y=1.0)],
        ),
    ]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is right, and what became of the world."""
    (cell,) = cells(world, e, null=null)
    names = ("right", "influence", "found", "detour", "taken", "executed", "steps")
    right, moved, seen, detour, taken, executed, steps = (
        found(results, cell, name) for name in names
    )

    def part(x: np.ndarray):
        return share(x, JUDGED)

    def alike(*x: np.ndarray) -> str:
        return counted(JUDGED, *x)

    list_right, walk_right = right[:, TAUGHT], right[:, WALKS]
    even = shares_apart(walk_right, list_right, JUDGED)
    both_right = min(part(list_right).low, part(walk_right).low) > RIGHT
    rows = [
        claimed(CLAIM, world, "told, from the list", "right", part(list_right), above=RIGHT,
                note=alike(list_right)),
        claimed(CLAIM, world, "rewarded, in the world", "right", part(walk_right), above=RIGHT,
                note=alike(walk_right)),
        (
            claimed(CLAIM, world, "rewarded, in the world", "right less that of the list", even,
                    within=(-ALIKE, ALIKE))
            if both_right else
            told(CLAIM, world, "rewarded, in the world", "right less that of the list", even,
                 note="not judged: not both are right")
        ),
        claimed(CLAIM, world, "rewarded, in the world", "covered places found by acting",
                part(seen[:, WALKS]), above=FOUND),
        claimed(CLAIM, world, "rewarded, in the world", "turns beyond the way, saved by a list",
                bootstrap(detour[:, WALKS] - detour[:, GIVEN], bounds=(-10.0, 10.0)), above=DETOUR),
        claimed(CLAIM, world, "rewarded for words, from the list", "influence, list shown",
                part(moved[:, SAYS]), below=LITTLE, note=alike(moved[:, SAYS])),
        claimed(CLAIM, world, "rewarded for words, list covered", "influence, to find out",
                part(moved[:, ASKS]), above=WALKED, note=alike(moved[:, ASKS])),
        told(CLAIM, world, "rewarded, in the world", "influence beyond that of the list",
             shares_apart(moved[:, WALKS], moved[:, TAUGHT], JUDGED),
             note="by what they are trained for: a hand must take, and a word is told"),
        check(CLAIM, world, "told, from the list", "covered places found by acting",
              part(seen[:, TAUGHT]), below=LITTLE, note="nothing is covered"),
        told(CLAIM, world, "told, from the list", "influence", part(moved[:, TAUGHT])),
        told(CLAIM, world, "told, its answer fetched", "influence", part(executed[:, TAUGHT]),
             note="an answer that somebody acts on moves the world as hands do"),
        *(
            told(CLAIM, world, name, quantity, estimate, unit=unit)
            for place, name in enumerate(ARMS)
            for quantity, estimate, unit in (
                ("rocks gone", part(taken[:, place]), ""),
                ("turns in the world", bootstrap(steps[:, place], bounds=(0.0, 10.0)), "turns"),
            )
        ),
    ]  # fmt: skip
    good, at = right.mean(0), moved.mean(0)
    sentence = (
        f"Told from a list, {good[TAUGHT]:.2f} are right with an influence on the world of "
        f"{at[TAUGHT]:.2f}; rewarded in the world, {good[WALKS]:.2f} with {at[WALKS]:.2f}, and "
        f"{seen[:, WALKS].mean():.2f} of what was covered is seen. Rewarded for words, influence "
        f"is {at[SAYS]:.2f} with the list open and {at[ASKS]:.2f} with it covered."
    )
    return Shown(rows, _panels(right, moved, seen, steps), sentence)
