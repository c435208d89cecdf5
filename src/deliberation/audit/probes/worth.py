"""How many simulations of a plain search are its choices worth?"""

import jax
import numpy as np

from ...runs.findings import Panel, Reference, Series
from ...stats import bootstrap, search_equivalent
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
            low=[e.low for e in lines], high=[e.high for e in lines],
        )],
        references=[Reference(label="subject", y=float(mine.mean()))],
    )  # fmt: skip
    compared = _in_words(worth.estimate)
    said = f"Goes {mine.mean():.2f} of the way from a random to the best action; {compared}"
    if exam.drawn is not None and worth.estimate == float("inf"):
        said += " The best is what the judge says, and no more can be told by it."
    return answered(PROBE, worth, {"told": said}, found="told", panel=panel)


def _in_words(estimate: float) -> str:
    if estimate < BUDGETS[0]:
        return f"less than {BUDGETS[0]} simulation does."
    if estimate == float("inf"):
        return f"more than {BUDGETS[-1]} simulations do."
    return f"as {estimate:.0f} simulations do."
