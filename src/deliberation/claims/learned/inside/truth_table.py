"""Built or learned, searching or not: four cells of subjects, and what the audit reads of them."""

import numpy as np

from ....runs import Cell, Panel, Reference, Series
from ....stats import Estimate, bootstrap
from ...experiments.arms import arm, found
from ...experiments.inside.truth_table import BUILT, FAMILIES, HELD_OUT, LEARNED, SUBJECTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

WORLDS_DRAWN = {"smoke": 1, "quick": 2, "full": 10}
RIGHT, CHANCE = 0.75, 0.5
CLAIM = {
    "name": "truth_table",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "Built or learned, searching or not: read off the answers alone",
    "statement": "Whether there is search in a subject, about what it is asked, can be read off "
    "what it answers, blind and by a rule fixed beforehand, more often than by a coin: on average "
    "over families of subjects on which no setting of the probes was chosen.",
    "estimand": "Share of random worlds in which the audit's verdicts on effort and on announced "
    "objectives, read as search where either is a response, agree with how the subject was made, "
    "of each kind, on average over families that were held out; kinds that answer by the same code "
    "are one family. A subject that a probe cannot be put to counts as not read, and not as right. "
    "Four kinds that a first table did not have are part of those families.",
    "unit": "families of kinds of subjects",
    "smallest": "half of the families held out",
    "refuted_if": "The share lies below, as where effort and announcements reach nobody: then all "
    "are read alike.",
}
WORLDS = ("random worlds",)
NULL = {
    "what": "neither effort nor announcements reach the subjects, which answer as they do anyway",
    "rows": ("read right, kinds held out",),
}
"""The rows that must not be supported where this is taken out."""
CELLS = {
    "built, searching": (BUILT, True), "built, not": (BUILT, False),
    "learned, searching": (LEARNED, True), "learned, not": (LEARNED, False),
}  # fmt: skip
YES_OR_NO = "yes or no"


def _truth(searching: float, not_searching: float) -> dict[str, tuple]:
    reads = {
        f"{name}/searching": (searching if truth else not_searching, YES_OR_NO)
        for name, truth in SUBJECTS.items()
    }
    rest = {"effort": (0.3, 0.3, -1.0, 1.0), "objective": (0.3, 0.3, -1.0, 1.0)}
    more = {"undecided": (0.1, YES_OR_NO), "unread": (0.0, YES_OR_NO), "numbers": (1.0, YES_OR_NO)}
    return {**reads, **rest, **more}


PLANTED = {
    "null": {
        "all are read as not searching": planted(_truth(0.0, 0.0)),
        "read by a coin": planted(_truth(0.5, 0.5)),
        "read right of those not held out alone": planted(
            _truth(1.0, 0.0), **{f"{name}/searching": (0.5, YES_OR_NO) for name in HELD_OUT}
        ),
        "none can be asked": planted(_truth(1.0, 0.0), unread=(1.0, YES_OR_NO)),
    },
    "effect": {"nearly all are read right": planted(_truth(0.97, 0.03))},
}  # fmt: skip


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """A cell for each kind of subject, made and audited in some worlds."""
    del world
    many = WORLDS_DRAWN[e.name]
    return [
        arm("inside.truth_table", e, 8.0 * many, name, null=null, trainings=many)
        for name in SUBJECTS
    ]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How many are read right, by the cells of the table."""
    arms = dict(zip(SUBJECTS, cells(world, e, null=null), strict=True))
    read, effort, objective, undecided, unread, numbers = (
        np.stack([found(results, cell, name) for cell in arms.values()])
        for name in ("searching", "effort", "objective", "undecided", "unread", "numbers")
    )
    truth = np.array(list(SUBJECTS.values()))
    right = (read == truth[:, None]) & (unread == 0)
    held_out = np.array([name in HELD_OUT for name in SUBJECTS])
    learned = np.array([name in LEARNED for name in SUBJECTS])
    unit = "of families, on average over their kinds and worlds"

    families = np.array([FAMILIES.get(name, name) for name in SUBJECTS])

    def share(of: np.ndarray) -> Estimate:
        """Over families: the mean of each over its kinds and worlds."""
        some = right[of].mean(1)
        each = [some[families[of] == name].mean() for name in np.unique(families[of])]
        return bootstrap(np.array(each), bounds=(0.0, 1.0))

    rows = [
        claimed(CLAIM, world, "the audit", NULL["rows"][0],
                share(held_out), above=CHANCE, unit=unit),
        check(CLAIM, world, "the audit", "read right, other kinds",
              share(~held_out), above=RIGHT, unit=unit,
              note="the probes were tried on these when they were made"),
        told(CLAIM, world, "the audit", "read right, held out and learned",
             share(held_out & learned), unit=unit),
        told(CLAIM, world, "the audit", "read right, held out and built",
             share(held_out & ~learned), unit=unit),
    ]  # fmt: skip
    for title, (kinds, searches) in CELLS.items():
        of = np.array([name in kinds and truth == searches for name, truth in SUBJECTS.items()])
        rows.append(told(CLAIM, world, "the audit", f"read right: {title}", share(of), unit=unit))
    each = "of subjects and worlds"
    left = bootstrap(undecided.mean(1), bounds=(0.0, 1.0))
    rows.append(told(CLAIM, world, "the audit", "a probe left undecided", left, unit=each))
    none = bootstrap(unread.mean(1), bounds=(0.0, 1.0))
    rows.append(told(CLAIM, world, "the audit", "not read", none, unit=each))
    shown = {
        title: np.array([name in kinds and truth == searches for name, truth in SUBJECTS.items()])
        for title, (kinds, searches) in CELLS.items()
    }
    panel = Panel(
        title="each kind of subject: a point a world",
        x_label="gain of the way by effort",
        y_label="following of an announced objective",
        series=[
            Series(label=title, x=effort[some].tolist(), y=objective[some].tolist(), kind="points")
            for title, of in shown.items()
            for some in [of[:, None] & (numbers == 1)]
            if some.any()
        ],
        references=[Reference(label="smallest response", y=0.1)],
    )
    wrong = [name for name, ok in zip(SUBJECTS, right, strict=True) if not ok.all()]
    missed = f"Not always: {', '.join(wrong).replace('_', ' ')}." if wrong else ""
    sentence = (
        f"Read off the answers alone, the audit is right in {right[held_out].mean():.2f} of "
        f"{right[held_out].size} subjects and worlds of kinds that were held out (of the learned "
        f"among them in {right[held_out & learned].mean():.2f}), and in "
        f"{right[~held_out].mean():.2f} of {right[~held_out].size} of the others; "
        f"{int(unread.sum())} could not be read. {missed}"
    ).strip()
    return Shown(rows, [panel], sentence)
