"""Does a decision take longer where it is harder?"""

import jax
import numpy as np

from ...stats import bootstrap
from ..asking import ask
from ..auditing import Subject
from ..judging import answered, not_applicable
from ..profile import Answer
from .depth import halved, needs

PROBE = {
    "name": "compute",
    "question": "Does a decision take longer where more look-ahead is needed?",
    "statistic": "log2 of the wall time of a batch of hard states over that of a batch of "
    "easy ones, asked in turn: of these two batches, over repeats",
    "needs": "nothing but answers",
    "alone": True,
    "fooled_by": "a machine that is busy; work that is the same however hard a state is, as that "
    "of most searches with a budget",
}
WORDS = {
    "responds": "Takes longer where look-ahead is needed.",
    "none": "Takes as long wherever it is asked.",
    "against": "Takes longer where less look-ahead is needed.",
}
SMALLEST = float(np.log2(1.1))
FEWEST = 12


def measure(subject: Subject) -> Answer:
    """Pairs of batches, timed one after the other; the first pair compiles and does not count."""
    exam = subject.exam
    need = needs(exam, subject.effort.depth)
    less = halved(need)
    easy, hard = exam.rows[less], exam.rows[~less]
    if min(len(easy), len(hard)) < FEWEST:
        why = f"Of {len(need)} states nearly all need as much look-ahead: {int(np.median(need))}."
        return not_applicable(PROBE, why)
    count = min(len(easy), len(hard), 64)
    ratios = []
    for number in range(subject.effort.repeats + 1):
        key = jax.random.fold_in(subject.key, number)
        seconds = [
            ask(subject.decider, exam, rows[:count], key, budget=subject.effort.budgets[-1]).seconds
            for rows in (hard, easy)[:: 1 - 2 * (number % 2)]
        ]
        first, second = (float(s.sum()) for s in seconds)
        ratios.append(np.log2(first / second) * (1 - 2 * (number % 2)))
    found = bootstrap(np.array(ratios[1:]))
    within = found.low >= -SMALLEST and found.high <= SMALLEST
    above, below = found.low > SMALLEST, found.high < -SMALLEST
    verdict = "responds" if above else "against" if below else "none" if within else "inconclusive"
    return answered(PROBE, found, WORDS, found=verdict)
