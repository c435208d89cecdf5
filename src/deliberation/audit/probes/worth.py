"""How many simulations of a plain search are its choices worth?"""

import jax
import numpy as np

from ...runs.findings import Panel, Reference, Series
from ...stats import Estimate, bootstrap, search_equivalent
from ..asking import ask
from ..auditing import Subject
from ..exam import way
from ..judging import answered
from ..profile import Answer
from ..searching import BUDGETS, searched

PROBE = {
    "name": "worth",
    "question": "How many simulations of a plain search are its choices worth?",
    "statistic": "simulations of UCT with random playouts at which it goes as much of the way, on "
    "the same states",
    "needs": "nothing but answers",
    "fooled_by": "a task that random playouts suit ill or well: the unit is this task's own",
}


def measure(subject: Subject) -> Answer:
    """The subject's way at its largest budget, read off the search's curve."""
    exam = subject.exam
    values = exam.values[exam.rows]
    chosen = searched(exam, jax.random.fold_in(subject.key, 1))
    table = np.array([way(values, action) for action in chosen])
    mine = way(
        values,
        ask(
            subject.decider, exam, exam.rows, subject.key, budget=subject.effort.budgets[-1]
        ).action,
    )
    worth = search_equivalent(BUDGETS, table, mine)
    lines = [bootstrap(row, bounds=(-1.0, 1.0)) for row in table]
    panel = Panel(
        title="Worth", x_label="simulations", y_label="way from random to best", x_scale="log2",
        series=[Series(
            label="plain search", x=[float(b) for b in BUDGETS], y=[e.estimate for e in lines],
            low=[e.shown.low for e in lines], high=[e.shown.high for e in lines],
        )],
        references=[Reference(label="subject", y=float(mine.mean()))],
    )  # fmt: skip
    said = f"Goes {mine.mean():.2f} of the way from a random action to the best, "
    said += _in_words(worth.estimate)
    if exam.drawn is not None:
        said += (
            f" What is best is the word of {exam.drawn.judge}: what is stronger than that cannot "
            "be told from it."
        )
    return answered(PROBE, worth, {"told": said}, found="told", panel=panel, measure=_shown(worth))


def _in_words(estimate: float) -> str:
    if estimate < BUDGETS[0]:
        return "less far than a plain search goes with a single simulation."
    if estimate == float("inf"):
        return f"farther than a plain search goes with {BUDGETS[-1]} simulations."
    return f"as far as a plain search goes with {estimate:.3g} simulations."


def _shown(worth: Estimate) -> str:
    """Where the number, or an end of its interval, lies beyond what was tried, that is said."""

    def one(count: float) -> str:
        if count < BUDGETS[0]:
            return f"under {BUDGETS[0]}"
        return f"over {BUDGETS[-1]}" if count == float("inf") else f"{count:.3g}"

    return f"{one(worth.estimate)} [{one(worth.low)}, {one(worth.high)}]"
