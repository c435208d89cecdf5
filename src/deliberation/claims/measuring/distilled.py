"""What two opposite claims about distilled tables share: the arm, planted truths, a figure."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Reference, Row
from ..experiments.arms import arm, found, share
from ..experiments.simplicity.distilled_tables import BUCKETS, ENTRIES, TABLES, WIDTHS
from .effort import Effort
from .results import Results, curve
from .rows import told

STEPS = {"smoke": 300, "quick": 600, "full": 4000}
WORLDS = {
    "goals on the other side": ("goals", "own"),
    "more doors closed, where it matters": ("doors", "own_doors"),
}
"""Where tables are asked that were distilled elsewhere, what outcomes call it, and what they call
the like at home."""
KINDS = {"nearest entry": ENTRIES, "network": WIDTHS, "hashed": BUCKETS}
_SOME = 3
BY_KIND = {kind: slice(_SOME * i, _SOME * (i + 1)) for i, kind in enumerate(KINDS)}
"""Of `TABLES`, which are of a kind."""
HASHED = BY_KIND["hashed"].start
"""From here on tables are hashed: what they say elsewhere is chance by construction."""
MANY = len(TABLES)


def truths(elsewhere: float, alike: float) -> dict[str, Any]:
    """A planted world: how good all tables but the hashed are elsewhere, and how alike if made
    again.
    """
    way = [elsewhere] * HASHED + [0.0] * (MANY - HASHED)
    same = [alike] * HASHED + [0.0] * (MANY - HASHED)
    at_home = [0.7] * MANY
    made: dict[str, Any] = {}
    for place, ways, alikes in (
        ("own", at_home, at_home), ("goals", way, same),
        ("own_doors", at_home, at_home), ("doors", way, same),
    ):  # fmt: skip
        made[f"way_{place}"] = (ways, 0.06, -2.0, 1.0)
        made[f"alike_{place}"] = (alikes, 0.04, -1 / 3, 1.0)
        made[f"even_{place}"] = ([0.98] * MANY, 0.01, 0.0, 1.0)
    return {**made, "matter_own": (0.11, 0.02, 0.0, 1.0), "matter_doors": (0.1, 0.02, 0.0, 1.0)}


def matters(claim: Any, world: str, results: Results, cell: Cell) -> list[Row]:
    """Of what share of the inputs it is asked where doors matter; nothing where they are as many.
    """  # fmt: skip
    if WORLDS[world][0] != "doors":
        return []
    shares = (("more doors closed", "matter_doors"), ("at home", "matter_own"))
    return [
        told(claim, world, f"inputs, {where}", "share in which the open doors' answer is wrong",
             share(found(results, cell, name)))
        for where, name in shares
    ]  # fmt: skip


def the_arm(e: Effort, **more: Any) -> Cell:
    """All tables, made twice in each training."""
    return arm("simplicity.distilled_tables", e, 90.0, steps=STEPS[e.name], **more)


def by_size(
    title: str, y_label: str, home: np.ndarray, away: np.ndarray, references: list[Reference]
) -> Panel:
    """Each kind of table over its sizes, at home and elsewhere: [trainings, tables]."""
    series = [
        curve(f"{kind}, {where}", sizes, list(values[:, BY_KIND[kind]].T), -2.0)
        for kind, sizes in KINDS.items()
        for where, values in (("at home", home), ("elsewhere", away))
    ]
    return Panel(
        title=title, x_label="entries, hidden units or buckets", y_label=y_label, x_scale="log2",
        series=series, references=references,
    )  # fmt: skip
