"""The limit of learning: the data's own distribution, even where that is not optimal."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Reference, Row, Series
from ...stats import Estimate, bootstrap, slope
from ..measuring import cells as shared
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, series_of
from ..measuring.rows import claimed, told

TOLERANCE, FALL, APART = 0.05, 0.02, 0.1
CLAIM = {
    "name": "converges_to_teacher",
    "aspect": "convergence",
    "side": "amortised",
    "title": "Convergence of learning: to the teacher",
    "statement": "A network that saw a biased teacher act converges to the teacher's own "
    "distribution, not to the optimum: with data the divergence falls, and its regret stays the "
    "teacher's, far from none.",
    "estimand": "Slope of KL(teacher || network) in log2 of the actions seen; with the most data, "
    "the network's regret less the teacher's, and the network's regret, as parts of the way.",
    "unit": "trainings and positions",
    "smallest": "0.02 nats a doubling; regrets within 0.05 of the way; regret above 0.1 of the way",
    "refuted_if": "The divergence falls by less than 0.02 nats a doubling, or the regrets differ "
    "by more than 0.05 of the way, or the network's regret is below 0.1 of the way: then it went "
    "to the optimum, or the teacher was there already.",
}

PLANTED = {
    "null": {
        "a network that does not learn": {"divergence": (1.2, 0.0)},
        "a network that goes to the optimum": {"regret_gap": -0.5},
        "a teacher without a gap": {"teacher_regret": 0.0},
    },
    "effect": {"twice the smallest": {"divergence": (1.2, -0.04), "teacher_regret": 0.2}},
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Students of the biased teacher, with more and more of its actions."""
    return [cell for count in e.lessons for cell in _compared(task, e, count)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Divergence against data, and both regrets at the most data."""
    by_size = [_column(results, task, e, count, "divergence") for count in e.lessons]
    falls = slope(np.log2(e.lessons), np.stack(by_size, axis=1), bounds=(0, 10))
    most = max(e.lessons)
    student = _column(results, task, e, most, "student_regret")
    teacher = _column(results, task, e, most, "teacher_regret")
    gap, kept = bootstrap(student - teacher, bounds=(-2, 2)), bootstrap(student, bounds=(0, 2))
    own = bootstrap(teacher[0], bounds=(0, 2))
    who = f"network ({most:,} actions seen)"
    # Random play loses all of the way: a teacher that loses as much says little by its regret.
    apart = abs(1 - own.estimate) > 4 * TOLERANCE
    rows = [
        claimed(
            CLAIM, task, "network", "divergence a doubling of data", falls,
            below=-FALL, unit="nats a doubling",
        ),
        *_regret_rows(task, who, gap, kept, apart),
        told(CLAIM, task, "biased teacher", "regret against the optimum", own, unit="of the way"),
    ]  # fmt: skip
    sentence = (
        f"On {task} the divergence falls from {by_size[0].mean():.2f} to {by_size[-1].mean():.3f} "
        f"nats; the network's regret ends {gap.estimate:+.3f} of the way from the teacher's "
        f"{own.estimate:.2f}, where the optimum's is 0."
    )
    return Shown(rows, [_divergence(task, e, by_size), _regrets(task, e, results, own)], sentence)


def _regret_rows(task: str, who: str, gap: Estimate, kept: Estimate, apart: bool) -> list[Row]:
    beyond, against = "regret beyond the teacher's", "regret against the optimum"
    way: dict[str, Any] = {"unit": "of the way"}
    if not apart:
        way["note"] = "nothing is claimed: here the teacher does about as badly as random play"
        return [
            told(CLAIM, task, who, beyond, gap, **way),
            told(CLAIM, task, who, against, kept, **way),
        ]
    return [
        claimed(CLAIM, task, who, beyond, gap, within=(-TOLERANCE, TOLERANCE), **way),
        claimed(CLAIM, task, who, against, kept, above=APART, **way),
    ]


def _compared(task: str, e: Effort, count: int) -> list[Cell]:
    lesson = shared.lesson(task, e, teacher="biased")
    fitted = [shared.fit(task, e, lesson, count, seed) for seed in range(e.seeds)]
    return [shared.closeness(task, e, student) for student in fitted]


def _column(results: Results, task: str, e: Effort, count: int, name: str) -> np.ndarray:
    return np.array([results.column(cell, name) for cell in _compared(task, e, count)])


def _series(label: str, x: list[float], samples: list[np.ndarray]) -> Series:
    return series_of(label, x, [bootstrap(sample, draws=400) for sample in samples])


def _divergence(task: str, e: Effort, by_size: list[np.ndarray]) -> Panel:
    x = [float(count) for count in e.lessons]
    return Panel(
        title=task,
        x_label="actions seen",
        y_label="KL to the teacher (nats)",
        x_scale="log2",
        series=[_series("network", x, by_size)],
        references=[Reference(label="the teacher itself", y=0.0)],
    )


def _regrets(task: str, e: Effort, results: Results, teacher: Estimate) -> Panel:
    x = [float(count) for count in e.lessons]
    samples = [_column(results, task, e, count, "student_regret") for count in e.lessons]
    return Panel(
        title=f"{task}: regret",
        x_label="actions seen",
        y_label="regret, parts of the way",
        x_scale="log2",
        series=[_series("network", x, samples)],
        references=[
            Reference(label="teacher", y=teacher.estimate),
            Reference(label="optimum", y=0.0),
        ],
    )
