"""Does it choose as well where a choice needs more moves of look-ahead?"""

import numpy as np

from ...runs.findings import Panel, Series
from ...stats import Estimate, weighted_sum
from ..asking import ask
from ..auditing import Subject
from ..citing import cite
from ..exam import Exam, best
from ..judging import SMALLEST, answered, not_applicable, over_places, response
from ..profile import Answer

PROBE = {
    "name": "depth",
    "question": "Does it choose as well where a choice needs more moves of look-ahead?",
    "statistic": "P(optimal) in the half of the states whose best action takes more moves of "
    "look-ahead to see, less that in the other half",
    "needs": "nothing but answers",
    "named": {"responds": "better deep", "none": "as good", "against": "worse deep"},
    "fooled_by": "what was learned about just these states: it is no sign of search to choose well "
    "where looking ahead would be needed",
}
WORDS = {
    "responds": "Chooses better where more look-ahead is needed.",
    "none": "Chooses as well where more look-ahead is needed.",
    "against": "Chooses worse where more look-ahead is needed.",
}
RULES_OUT = {"none": "a look-ahead that is too short for these states, with nothing learned"}
FEWEST = 12
"""Places of each kind, at least."""


def needs(exam: Exam, deepest: int) -> np.ndarray:
    """The moves of look-ahead from which on only best actions are taken; `deepest` + 1: more."""
    truth = best(exam.values[exam.rows])
    fine = np.array(
        [~(best(exam.ahead(k)[exam.rows]) & ~truth).any(1) for k in range(1, deepest + 1)]
    )
    # Fine from some depth on, and not by chance at one.
    lasting = np.logical_and.accumulate(fine[::-1], axis=0)[::-1]
    return np.where(lasting.any(0), lasting.argmax(0) + 1, deepest + 1)


def halved(need: np.ndarray) -> np.ndarray:
    """Which states need less than the others, so that both halves are as even as can be."""
    cuts = np.unique(need)
    shares = [abs(float((need <= cut).mean()) - 0.5) for cut in cuts]
    return need <= cuts[int(np.argmin(shares))]


def measure(subject: Subject) -> Answer:
    """P(optimal) by the look-ahead that is needed."""
    exam, budget = subject.exam, subject.effort.budgets[-1]
    need = needs(exam, subject.effort.depth)
    chosen = ask(subject.decider, exam, exam.rows, subject.key, budget=budget).action
    right = best(exam.values[exam.rows])[np.arange(len(chosen)), chosen].astype(float)
    less = halved(need)
    part = {cut: exam.rows[less == cut] for cut in (True, False)}
    if min(len(np.unique(exam.place[rows])) for rows in part.values()) < FEWEST:
        why = f"Of {len(need)} states nearly all need as much look-ahead: {int(np.median(need))}."
        return not_applicable(PROBE, why)
    easy, hard = (over_places(exam, x, right[less == cut], (0.0, 1.0)) for cut, x in part.items())
    apart = weighted_sum([hard, easy], [1.0, -1.0])
    by: dict[int, Estimate] = {
        k: over_places(exam, exam.rows[need == k], right[need == k], (0.0, 1.0))
        for k in range(1, subject.effort.depth + 2)
        if (need == k).any()
    }
    # One who is no better than chance anywhere is as good where more is needed, too.
    chance = best(exam.values[exam.rows]).sum(1) / exam.legal[exam.rows].sum(1)
    able = over_places(exam, exam.rows, right - chance, (-1.0, 1.0)).low > SMALLEST
    panel = Panel(
        title="Depth of need", x_label="moves of look-ahead needed", y_label="P(optimal)",
        series=[Series(
            label="subject", x=[float(k) for k in by], y=[e.estimate for e in by.values()],
            low=[e.low for e in by.values()], high=[e.high for e in by.values()],
        )],
    )  # fmt: skip
    return answered(
        PROBE, apart, WORDS, rules_out=RULES_OUT if able else {}, panel=panel,
        found=response(apart),
        cited=cite(exam, exam.rows[~less], chosen[~less]),
    )  # fmt: skip
