"""What two opposite claims about distilled tables share: the arm, planted truths, a figure."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Reference
from ..experiments.arms import arm
from ..experiments.simplicity.distilled_tables import BUCKETS, ENTRIES, TABLES, WIDTHS
from .effort import Effort
from .results import curve

STEPS = {"smoke": 300, "quick": 600, "full": 4000}
WORLDS = {"goals on the other side": "goals", "more doors closed": "doors"}
"""Where tables are asked that were distilled elsewhere, and what outcomes call it."""
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
    found: dict[str, Any] = {}
    for place, ways, alikes in (
        ("own", at_home, at_home), ("goals", way, same), ("doors", way, same),
    ):  # fmt: skip
        found[f"way_{place}"] = (ways, 0.06, -2.0, 1.0)
        found[f"alike_{place}"] = (alikes, 0.04, -1 / 3, 1.0)
        found[f"even_{place}"] = ([0.98] * MANY, 0.01, 0.0, 1.0)
    return found


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
