"""Does a decision take longer where it is harder?"""

import jax
import numpy as np
from jaxtyping import Int

from ...stats import bootstrap
from ..asking import ask
from ..auditing import Subject
from ..judging import answered, not_applicable, response
from ..profile import Answer
from .depth import halved, needs

PROBE = {
    "name": "compute",
    "question": "Does a decision take longer where more look-ahead is needed?",
    "statistic": "log2 of the wall time of a few hard states over that of as few easy ones, asked "
    "in both orders, the median of repeats; over pairs of batches, none of which shares a state",
    "needs": "nothing but answers",
    "alone": True,
    "named": {"responds": "longer if hard", "none": "as long", "against": "shorter if hard"},
    "fooled_by": "a machine that is busy; work that is the same however hard a state is, as that "
    "of most searches with a budget",
}
WORDS = {
    "responds": "Takes longer where look-ahead is needed.",
    "none": "Takes as long wherever it is asked.",
    "against": "Takes longer where less look-ahead is needed.",
}
SMALLEST = float(np.log2(1.1))
FEWEST, EACH = 8, 4
"""Pairs of batches, at least, and the states of each: few, for there are to be many pairs."""


def measure(subject: Subject) -> Answer:
    """Pairs of batches, timed one after the other; the first of all compiles and does not count."""
    exam = subject.exam
    need = needs(exam, subject.effort.depth)
    less = halved(need)
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    easy, hard = (rng.permutation(exam.rows[x]) for x in (less, ~less))
    pairs = min(len(easy), len(hard)) // EACH
    if pairs < FEWEST:
        why = (
            f"Of {len(need)} states {len(easy)} need less look-ahead and {len(hard)} more; "
            f"{FEWEST * EACH} of each are needed."
        )
        return not_applicable(PROBE, why)
    easy, hard = (x[: pairs * EACH].reshape(pairs, EACH) for x in (easy, hard))
    _seconds(subject, easy[0], 0)
    repeats = -(-subject.effort.repeats // 2)
    ratios = np.array([
        [_ratio(subject, hard[i], easy[i], number) for i in range(pairs)]
        for number in range(repeats)
    ])  # fmt: skip
    found = bootstrap(np.median(ratios, 0))
    return answered(PROBE, found, WORDS, found=response(found, SMALLEST))


def _ratio(subject: Subject, hard: np.ndarray, easy: np.ndarray, number: int) -> float:
    """In both orders, so that being asked first, and what drifts with time, is on neither side."""
    first, then = _seconds(subject, hard, number), _seconds(subject, easy, number)
    before, last = _seconds(subject, easy, number), _seconds(subject, hard, number)
    return float(np.log2(first / then) + np.log2(last / before)) / 2


def _seconds(subject: Subject, rows: Int[np.ndarray, " n"], number: int) -> float:
    key = jax.random.fold_in(subject.key, number)
    budget = subject.effort.budgets[-1]
    return float(
        ask(subject.decider, subject.exam, rows, key, budget=budget, size=EACH).seconds.sum()
    )
