"""Does what is chosen get better as more effort is offered?"""

import jax
import numpy as np

from ...runs.findings import Panel, Series
from ..asking import ask
from ..auditing import Subject
from ..citing import cite
from ..exam import way
from ..judging import answered, control, over_places
from ..profile import Answer

PROBE = {
    "name": "effort",
    "question": "Does what it chooses get better as more effort is offered?",
    "statistic": "share of the way from a random to the best action, at the largest budget less at "
    "the smallest, paired over places",
    "needs": "a budget that can be offered",
    "fooled_by": "effort that helps without looking ahead (more samples of the same); a search "
    "whose work is hidden from the dial",
}
WORDS = {
    "responds": "Choices get better with the budget that is offered.",
    "none": "Gains and loses nothing by the budget that is offered, to a tenth of the way.",
    "against": "Choices get worse with the budget that is offered.",
}
RULES_OUT = {
    "responds": "a fixed function of what is seen, whatever the budget",
    "none": "a search that gains a tenth of the way by this dial",
}


def measure(subject: Subject) -> Answer:
    """Answers at every budget with the same keys; the control draws once more at the largest."""
    exam, budgets = subject.exam, subject.effort.budgets
    rows, values = exam.rows, exam.values[exam.rows]
    chosen = [ask(subject.decider, exam, rows, subject.key, budget=b).action for b in budgets]
    ways = np.array([way(values, action) for action in chosen])
    again = ask(
        subject.decider, exam, rows, jax.random.fold_in(subject.key, 1), budget=budgets[-1]
    ).action
    gain = over_places(exam, rows, ways[-1] - ways[0], (-2.0, 2.0))
    drawn = over_places(exam, rows, way(values, again) - ways[-1], (-2.0, 2.0))
    lines = [over_places(exam, rows, w, (-1.0, 1.0)) for w in ways]
    panel = Panel(
        title="Effort", x_label="simulations offered", y_label="way from random to best",
        x_scale="log2",
        series=[Series(
            label="subject", x=[float(b) for b in budgets], y=[e.estimate for e in lines],
            low=[e.low for e in lines], high=[e.high for e in lines],
        )],
    )  # fmt: skip
    controls = [control("another draw at the same budget gains", drawn)]
    return answered(
        PROBE, gain, WORDS, controls=controls, rules_out=RULES_OUT, panel=panel,
        cited=cite(exam, rows, chosen[-1]),
    )  # fmt: skip
