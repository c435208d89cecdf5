"""Built or learned, searching or not: four cells of subjects, and what the audit reads of them."""

import numpy as np

from ....runs import Cell, Panel, Reference, Series
from ....stats import Estimate, bootstrap
from ...experiments.arms import arm, found
from ...experiments.inside.truth_table import BUILT, LEARNED, SUBJECTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

WORLDS_DRAWN = {"smoke": 1, "quick": 2, "full": 10}
RIGHT, CHANCE = 0.75, 0.5
CLAIM = {
    "name": "truth_table",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "Built or learned, searching or not: read off the answers alone",
    "statement": "Whether there is search in a subject can be read off what it answers, blind and "
    "by a rule fixed beforehand, in more than three quarters of subjects and worlds; and of those "
    "that were learned as well, more often than by a coin.",
    "estimand": "Share of kinds of subjects and random worlds in which the audit's verdicts on "
    "effort and on announced objectives, read as search where either is a response, agree with how "
    "the subject was made; of all kinds, and of those that were learned.",
    "unit": "kinds of subjects",
    "smallest": "three quarters of all, and half of the learned",
    "refuted_if": "The shares lie below, as where effort and announcements reach nobody: then all "
    "are read alike.",
}
WORLDS = ("random worlds",)
NULL = {
    "what": "neither effort nor announcements reach the subjects, which answer as they do anyway",
    "rows": ("read right, all kinds", "read right, those that were learned"),
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
    return {**reads, **rest, "undecided": (0.1, YES_OR_NO)}


PLANTED = {
    "null": {
        "all are read as not searching": planted(_truth(0.0, 0.0)),
        "read by a coin": planted(_truth(0.5, 0.5)),
        "read right of those that were built alone": planted(
            _truth(1.0, 0.0), **{f"{name}/searching": (0.5, YES_OR_NO) for name in LEARNED}
        ),
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
    read, effort, objective, undecided = (
        np.stack([found(results, cell, name) for cell in arms.values()])
        for name in ("searching", "effort", "objective", "undecided")
    )
    truth = np.array(list(SUBJECTS.values()))
    right = read == truth[:, None]
    learned = np.array([name in LEARNED for name in SUBJECTS])
    unit = "of subjects and worlds"

    def share(of: np.ndarray) -> Estimate:
        return bootstrap(right[of].mean(1), bounds=(0.0, 1.0))

    rows = [
        claimed(CLAIM, world, "the audit", "read right, all kinds",
                share(learned | ~learned), above=RIGHT, unit=unit),
        claimed(CLAIM, world, "the audit", "read right, those that were learned",
                share(learned), above=CHANCE, unit=unit),
    ]  # fmt: skip
    for title, (kinds, searches) in CELLS.items():
        of = np.array([name in kinds and truth == searches for name, truth in SUBJECTS.items()])
        rows.append(told(CLAIM, world, "the audit", f"read right: {title}", share(of), unit=unit))
    left = bootstrap(undecided.mean(1), bounds=(0.0, 1.0))
    rows.append(told(CLAIM, world, "the audit", "a probe left undecided", left, unit=unit))
    panel = Panel(
        title="each kind of subject: a point a world",
        x_label="gain of the way by effort",
        y_label="following of an announced objective",
        series=[
            Series(
                label=title,
                x=[x for name in kinds if kinds[name] == searches for x in effort[at[name]]],
                y=[y for name in kinds if kinds[name] == searches for y in objective[at[name]]],
                kind="points",
            )
            for at in [{name: i for i, name in enumerate(SUBJECTS)}]
            for title, (kinds, searches) in CELLS.items()
        ],
        references=[Reference(label="smallest response", y=0.1)],
    )
    wrong = [name for name, ok in zip(SUBJECTS, right, strict=True) if not ok.all()]
    missed = f"Misread: {', '.join(wrong).replace('_', ' ')}." if wrong else "None was misread."
    sentence = (
        f"Read off the answers alone, the audit is right in {right.mean():.2f} of "
        f"{right.size} subjects and worlds, and in {right[learned].mean():.2f} of those that were "
        f"learned. {missed}"
    )
    return Shown(rows, [panel], sentence)
