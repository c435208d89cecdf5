"""The other prediction of a giant table distilled from an optimiser: elsewhere it is noise."""

from ....runs import Cell, Reference
from ....stats import bootstrap
from ...experiments.arms import all_found
from ...experiments.simplicity.distilled_tables import TABLES
from ...measuring import distilled
from ...measuring.distilled import HASHED, WORLDS, the_arm, truths
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

ALIKE = 0.1
CLAIM = {
    "name": "distilled_table_uniform",
    "aspect": "learned",
    "chapter": "simplicity",
    "side": "amortised",
    "title": "Tables distilled from an optimiser: noise elsewhere?",
    "statement": "A table that was distilled from a powerful optimiser, and compressed, draws "
    "evenly from what it could do elsewhere: off its distribution it agrees with the same table "
    "made again no more than two draws do, whatever its size.",
    "estimand": "How often a table agrees with one of the same kind, size and optimiser that was "
    "made again from other entries or weights, on inputs off the distribution of what was "
    "distilled, beyond chance: 0 as two even draws, 1 always; with more doors closed where the "
    "best action is not that of open doors.",
    "unit": "trainings",
    "smallest": "a tenth beyond chance",
    "refuted_if": "Two such tables agree by more than a tenth beyond chance: what they do "
    "elsewhere comes from what they hold, well or badly, and not from a die.",
}
WORLDS = tuple(WORLDS)
NULL = {
    "what": "tables are asked about what was distilled, and not elsewhere",
    "rows": tuple(f"agreement beyond chance, {table}" for table in TABLES[:HASHED]),
}
"""The rows that must not be supported where this is taken out."""
PLANTED = {
    "null": {
        "as good as elsewhere": planted(truths(0.9, 0.9)),
        "wrong alike": planted(truths(-0.3, 0.25)),
    },
    "effect": {"draws": planted(truths(0.0, 0.0))},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """One arm has all tables and all places; in the null all of these are its own."""
    del world
    return [the_arm(e, home=True) if null else the_arm(e)]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How much two tables that were made apart have in common elsewhere."""
    (cell,), (place, near) = cells(world, e, null=null), distilled.WORLDS[world]
    away, home, even = all_found(results, cell, f"alike_{place}", f"alike_{near}", f"even_{place}")
    bounds = (-1 / 3, 1.0)
    rows = [
        *(
            claimed(CLAIM, world, table, f"agreement beyond chance, {table}",
                    bootstrap(away[:, i], bounds=bounds), below=ALIKE)
            for i, table in enumerate(TABLES[:HASHED])
        ),
        *(
            told(CLAIM, world, table, f"agreement beyond chance, {table}",
                 bootstrap(away[:, i], bounds=bounds),
                 note="two hashes have nothing in common but how often each answer is given")
            for i, table in enumerate(TABLES) if i >= HASHED
        ),
        *(
            told(CLAIM, world, table, f"entropy of the actions taken, {table}",
                 bootstrap(even[:, i], bounds=(0.0, 1.0)), unit="of the most")
            for i, table in enumerate(TABLES)
        ),
        *distilled.matters(CLAIM, world, results, cell),
    ]  # fmt: skip
    references = [Reference(label="two dice", y=0.0), Reference(label="always", y=1.0)]
    panel = distilled.by_size(world, "agreement beyond chance", home, away, references)
    said = ", ".join(f"{away[:, i].mean():.2f} ({TABLES[i]})" for i in (0, HASHED - 1))
    sentence = (
        f"With {world} a table agrees with the same made again, beyond chance, in {said}; the "
        f"hashed ones in {away[:, HASHED:].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
