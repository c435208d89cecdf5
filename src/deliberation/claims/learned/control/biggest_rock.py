"""The biggest rock of a list, and of the world: equally right, and not the same to the world."""

import numpy as np

from ....runs import Cell, Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import arm, found
from ...experiments.control.rocks import ARMS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, clouds
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 500, "quick": 1500, "full": 4000}
BATCH = 32
RIGHT, ALIKE, APART, FOUND, DETOUR, LITTLE = 0.8, 0.15, 0.5, 0.5, 0.5, 0.2
CLAIM = {
    "name": "biggest_rock",
    "aspect": "learned",
    "chapter": "control",
    "side": "both",
    "title": "The biggest rock, in a list and in the world",
    "statement": "A network that is told the biggest of a list and one that is rewarded for taking "
    "the biggest rock of a row which it must walk to see are right about as often. The one leaves "
    "the world as it was, though it has the same hands; the other finds out by acting. It goes by "
    "where the rocks are, not by how it was trained: who is rewarded for naming a rock of the list "
    "stays where it is, and walks where the list is covered; who is given the list to take from "
    "walks straight.",
    "estimand": "Shares of episodes that end right; influence on the world (total variation "
    "between what becomes of it with the network present and with one that does nothing); of the "
    "places covered at first the share seen at the end; turns beyond those of the shortest way.",
    "unit": "trainings",
    "smallest": "0.8 right and within 0.15; influences 0.5 apart, or below 0.2; half of what was "
    "covered; half a turn",
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
}
"""The rows that must not be supported where this is taken out."""
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


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """All arms in one cell; in the null a lot says which rock is right."""
    del world
    return [arm("control.rocks", e, 60.0, null=null, steps=STEPS[e.name], batch=BATCH)]


def _panels(
    right: np.ndarray, moved: np.ndarray, seen: np.ndarray, steps: np.ndarray
) -> list[Panel]:
    """Each training as a point: what is right against influence, and turns against what is seen."""
    return [
        Panel(
            title="as right, and not the same to the world",
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
    whole = (0.0, 1.0)

    def share(x: np.ndarray):
        return bootstrap(x, bounds=whole)

    both = (-1.0, 1.0)
    rows = [
        claimed(CLAIM, world, "told, from the list", "right", share(right[:, TAUGHT]), above=RIGHT),
        claimed(CLAIM, world, "rewarded, in the world", "right", share(right[:, WALKS]),
                above=RIGHT),
        claimed(CLAIM, world, "rewarded, in the world", "right less that of the list",
                bootstrap(right[:, WALKS] - right[:, TAUGHT], bounds=both), within=(-ALIKE, ALIKE)),
        claimed(CLAIM, world, "rewarded, in the world", "influence beyond that of the list",
                bootstrap(moved[:, WALKS] - moved[:, TAUGHT], bounds=both), above=APART),
        claimed(CLAIM, world, "rewarded, in the world", "covered places found by acting",
                share(seen[:, WALKS]), above=FOUND),
        claimed(CLAIM, world, "rewarded, in the world", "turns beyond the way, saved by a list",
                bootstrap(detour[:, WALKS] - detour[:, GIVEN], bounds=(-10.0, 10.0)), above=DETOUR),
        claimed(CLAIM, world, "rewarded for words, from the list", "influence",
                share(moved[:, SAYS]), below=LITTLE),
        claimed(CLAIM, world, "rewarded for words, list covered", "influence, to find out",
                share(moved[:, ASKS]), above=APART),
        check(CLAIM, world, "told, from the list", "covered places found by acting",
              share(seen[:, TAUGHT]), below=LITTLE, note="nothing is covered"),
        told(CLAIM, world, "told, from the list", "influence", share(moved[:, TAUGHT])),
        told(CLAIM, world, "told, its answer fetched", "influence", share(executed[:, TAUGHT]),
             note="an answer that somebody acts on moves the world as hands do"),
        *(
            told(CLAIM, world, name, quantity, estimate, unit=unit)
            for place, name in enumerate(ARMS)
            for quantity, estimate, unit in (
                ("rocks gone", share(taken[:, place]), ""),
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
