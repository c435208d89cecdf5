"""Item 26, the amortised side: a network converges to its data, even where that is not optimal."""

import numpy as np

from ..runs import Cell, Panel, Reference, Series
from ..stats import Estimate, Verdict, bootstrap, judge, slope
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, row

CLAIM = {
    "name": "converges_to_teacher",
    "item": 26,
    "title": "Convergence of learning: to the teacher",
    "statement": "A network that saw a biased teacher act converges to the teacher's own "
    "distribution, not to the optimum: with data the divergence falls, and its regret stays the "
    "teacher's.",
    "refuted_if": "KL(teacher || network) does not fall with data, or with the most data the "
    "network's regret differs from the teacher's by more than 0.05.",
}

TOLERANCE = 0.05


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
    gap = bootstrap(student - teacher, bounds=(-2, 2))
    own = bootstrap(teacher[0], bounds=(0, 2))
    who = f"network ({most:,} actions seen)"
    rows = [
        row(CLAIM, task, "network", "KL (nats) per doubling", falls, judge(falls, below=0)),
        row(
            CLAIM, task, who, "regret beyond the teacher's", gap,
            _verdict(gap, own),
        ),
        row(CLAIM, task, "biased teacher", "regret", own),
    ]  # fmt: skip
    sentence = (
        f"On {task} the divergence falls from {by_size[0].mean():.2f} to {by_size[-1].mean():.3f} "
        f"nats; the network's regret ends {gap.estimate:+.3f} from the teacher's "
        f"{own.estimate:.2f}, where the optimum's is 0."
    )
    return Shown(rows, [_divergence(task, e, by_size), _regrets(task, e, results, own)], sentence)


def _verdict(gap: Estimate, own: Estimate) -> Verdict:
    """A student can only be told from the optimum if its teacher is clearly not optimal."""
    found = judge(gap, within=(-TOLERANCE, TOLERANCE))
    apart = judge(own, above=2 * TOLERANCE) == "supported"
    return found if apart or found == "refuted" else "inconclusive"


def _compared(task: str, e: Effort, count: int) -> list[Cell]:
    lesson = _cells.lesson(task, e, teacher="biased")
    students = [_cells.fit(task, e, lesson, count, seed) for seed in range(e.seeds)]
    return [_cells.closeness(task, e, student) for student in students]


def _column(results: Results, task: str, e: Effort, count: int, name: str) -> np.ndarray:
    return np.array([results.outcomes(cell)[name] for cell in _compared(task, e, count)])


def _series(label: str, x: list[float], samples: list[np.ndarray]) -> Series:
    points = [bootstrap(sample) for sample in samples]
    return Series(
        label=label,
        x=x,
        y=[p.estimate for p in points],
        low=[p.low for p in points],
        high=[p.high for p in points],
    )


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


def _regrets(task: str, e: Effort, results: Results, teacher: object) -> Panel:
    x = [float(count) for count in e.lessons]
    samples = [_column(results, task, e, count, "student_regret") for count in e.lessons]
    return Panel(
        title=f"{task}: regret",
        x_label="actions seen",
        y_label="regret",
        x_scale="log2",
        series=[_series("network", x, samples)],
        references=[
            Reference(label="teacher", y=getattr(teacher, "estimate", 0.0)),
            Reference(label="optimum", y=0.0),
        ],
    )
