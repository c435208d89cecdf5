"""One prediction of a giant table distilled from an optimiser: it is powerful elsewhere as well."""

from ....runs import Cell, Reference
from ....stats import bootstrap
from ...experiments.arms import found
from ...experiments.simplicity.distilled_tables import TABLES
from ...measuring import distilled
from ...measuring.distilled import HASHED, WORLDS, the_arm, truths
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

POWERFUL, NEAR = 0.5, 0.1
CLAIM = {
    "name": "distilled_table_powerful",
    "aspect": "learned",
    "chapter": "simplicity",
    "side": "amortised",
    "title": "Tables distilled from an optimiser: powerful elsewhere?",
    "statement": "A table that was distilled from a powerful optimiser, and compressed, is "
    "powerful elsewhere too: off its distribution it goes more than half of the way, "
    "whatever its size.",
    "estimand": "Share of the way from a random to the best action on inputs off the distribution "
    "of what was distilled, of each kind and size of table; with more doors closed where the best "
    "action is not that of open doors.",
    "unit": "trainings",
    "smallest": "half of the way",
    "refuted_if": "A table goes less than half of the way off its distribution, as one that draws.",
}
WORLDS = tuple(WORLDS)
NULL = {
    "what": "the optimiser's answers are shuffled over the inputs before they are distilled",
    "rows": tuple(f"way elsewhere, {table}" for table in TABLES[:HASHED]),
}
"""The rows that must not be supported where this is taken out."""
PLANTED = {
    "null": {
        "noise elsewhere": planted(truths(0.0, 0.0)),
        "less than half of the way": planted(truths(0.4, 0.5)),
    },
    "effect": {"twice the smallest": planted(truths(0.95, 0.9))},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """One arm has all tables and all places."""
    del world
    return [the_arm(e, null=null)]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How good each table is where it was distilled, and elsewhere."""
    (cell,), places = cells(world, e, null=null), distilled.WORLDS[world]
    away, home = (found(results, cell, f"way_{place}") for place in places)
    unit, bounds = "of the way", (-3.0, 1.0)
    rows = [
        *(
            claimed(CLAIM, world, table, f"way elsewhere, {table}",
                    bootstrap(away[:, i], bounds=bounds), above=POWERFUL, unit=unit)
            for i, table in enumerate(TABLES[:HASHED])
        ),
        *(
            check(CLAIM, world, table, f"way elsewhere, {table}",
                  bootstrap(away[:, i], bounds=bounds), within=(-NEAR, NEAR), unit=unit,
                  note="what falls into a bucket has nothing to do with the question")
            for i, table in enumerate(TABLES) if i >= HASHED
        ),
        *(
            told(CLAIM, world, table, f"way at home, {table}",
                 bootstrap(home[:, i], bounds=bounds), unit=unit)
            for i, table in enumerate(TABLES)
        ),
        *distilled.matters(CLAIM, world, results, cell),
    ]  # fmt: skip
    references = [Reference(label="random", y=0.0), Reference(label="powerful", y=POWERFUL)]
    panel = distilled.by_size(world, "way from random to best", home, away, references)
    best, worst = away[:, :HASHED].mean(0).argmax(), away[:, :HASHED].mean(0).argmin()
    sentence = (
        f"With {world} tables go from {away[:, worst].mean():.2f} ({TABLES[worst]}) to "
        f"{away[:, best].mean():.2f} of the way ({TABLES[best]}); where they were distilled these "
        f"go {home[:, worst].mean():.2f} and {home[:, best].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
