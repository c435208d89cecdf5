"""Does it choose as well where a choice needs more moves of look-ahead?"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student

from ...runs.findings import Band, Panel, Series
from ...stats import Estimate, bootstrap, weighted_sum
from ...stats.estimate import nothing
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
    "look-ahead to see, less that in the other half, weighted so that as much is at stake in both "
    "and as many actions are best",
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
"""Places of each kind, at least, and as many equal ones as weights leave."""
RIDGE = 1e-3
"""So that halves that what is at stake tells apart are told so within reason."""
UNEVEN = 0.1
"""So many deviations may halves differ (Austin 2009, section 4.1, for propensity scores)."""
FAR = 16
"""So many moves ahead a choice has to stay right."""
TIMES = 2
"""So many times the states of other probes: weights leave less than half of them."""


def needs(exam: Exam, deepest: int) -> np.ndarray:
    """The moves of look-ahead from which on only best actions are taken; `deepest` + 1: more."""
    truth = best(exam.values[exam.rows])
    fine = np.array(
        [~(best(exam.ahead(k)[exam.rows]) & ~truth).any(1) for k in range(1, max(deepest, FAR) + 1)]
    )
    # Fine from some depth on, and not by chance at a few: who looks farther may be misled again.
    lasting = np.logical_and.accumulate(fine[::-1], axis=0)[::-1]
    return np.where(lasting.any(0), np.minimum(lasting.argmax(0), deepest) + 1, deepest + 1)


def halved(need: np.ndarray) -> np.ndarray:
    """Which states need less than the others, so that both halves are as even as can be."""
    cuts = np.unique(need)
    shares = [abs(float((need <= cut).mean()) - 0.5) for cut in cuts]
    return need <= cuts[int(np.argmin(shares))]


def comparable(exam: Exam, less: Bool[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], float]:
    """How much each of `exam.rows` counts, so that choices are as hard by chance in both halves.

    Deep choices are often close ones, which anybody misses who tells values apart with an error,
    and often those in which more of the actions are best, which anybody hits who strays. So the
    halves are made alike in what is at stake, that is the loss by the second best action and the
    mean loss by all that are not best, in doublings, and in the share of actions that are best. The
    weights are those of overlap (Li, Morgan and Zalewski 2018): the chance of being in the other
    half, by a logistic regression on all three, which makes their means alike. Beside them, by how
    many deviations the means still differ most: a lot where no choices are alike.
    """
    values = exam.values[exam.rows]
    lost = np.nanmax(values, 1)[:, None] - values
    lost = np.where(best(values) | np.isnan(values), np.nan, lost)
    stakes = np.log2(np.stack([np.nanmin(lost, 1), np.nanmean(lost, 1)], 1))
    told = np.column_stack([stakes, by_chance(exam)])
    spread = np.maximum(told.std(0), 1e-9)
    known = np.column_stack([np.ones(len(less)), (told - told.mean(0)) / spread])
    signs = np.where(less, 1.0, -1.0)

    def misfit(by: Float[np.ndarray, " terms"]) -> tuple[float, Float[np.ndarray, " terms"]]:
        margin = signs * (known @ by)
        slope = -signs * expit(-margin)
        loss = np.logaddexp(0.0, -margin).sum() + RIDGE * float(by @ by)
        return float(loss), known.T @ slope + 2 * RIDGE * by

    fit = minimize(misfit, np.zeros(known.shape[1]), jac=True, method="BFGS")
    weight = np.asarray(expit(-signs * (known @ fit.x)))
    means = [np.average(known, axis=0, weights=weight * half) for half in (less, ~less)]
    return weight, float(np.abs(means[0] - means[1]).max())


def by_chance(exam: Exam) -> Float[np.ndarray, " n"]:
    """The share of the actions that are best in each of `exam.rows`: P(optimal) of a blind draw."""
    return best(exam.values[exam.rows]).sum(1) / exam.legal[exam.rows].sum(1)


def weighed(
    exam: Exam, rows: Int[np.ndarray, " n"], right: np.ndarray, weight: np.ndarray
) -> Estimate:
    """The mean of shares with weights, over places; n: so many equal weights would tell as much."""
    middle = float((weight * right).sum() / weight.sum())
    size = int(weight.sum() ** 2 / (weight**2).sum())
    if np.ptp(right) == 0:
        return bootstrap(np.full(size, middle), bounds=(0.0, 1.0))
    around = middle + weight / weight.mean() * (right - middle)
    found = over_places(exam, rows, around, (-np.inf, np.inf))
    if size < 2:
        return nothing()
    # As few as weights leave are fewer than there were rows to resample.
    wider = float(student.ppf(0.975, size - 1) / student.ppf(0.975, found.freedom))
    wider *= (size / (size - 1)) ** 0.5
    low, high = (middle + wider * (end - found.estimate) for end in (found.low, found.high))
    return Estimate(middle, low, high, size, float(size - 1))


def measure(subject: Subject) -> Answer:
    """P(optimal) by the look-ahead that is needed."""
    exam = subject.exam.wider(TIMES * subject.effort.states)
    budget = subject.effort.budgets[-1]
    need = needs(exam, subject.effort.depth)
    chosen = ask(subject.decider, exam, exam.rows, subject.key, budget=budget).action
    right = best(exam.values[exam.rows])[np.arange(len(chosen)), chosen].astype(float)
    less = halved(need)
    places = [len(np.unique(exam.place[exam.rows[x]])) for x in (less, ~less)]
    if min(places) < FEWEST:
        why = (
            f"Of {len(need)} states {int(less.sum())} need less look-ahead and "
            f"{int((~less).sum())} more: too few of one kind that are places of their own, where "
            f"{FEWEST} are needed."
        )
        return not_applicable(PROBE, why)
    weight, uneven = comparable(exam, less)
    easy, hard = (weighed(exam, exam.rows[x], right[x], weight[x]) for x in (less, ~less))
    if min(easy.n, hard.n) < FEWEST or uneven > UNEVEN:
        why = (
            "Where more look-ahead is needed much less (or more) is at stake than elsewhere, or "
            "other shares of the actions are best: too few choices are alike."
        )
        return not_applicable(PROBE, why)
    apart = weighted_sum([hard, easy], [1.0, -1.0])
    by: dict[int, Estimate] = {
        k: over_places(exam, exam.rows[need == k], right[need == k], (0.0, 1.0))
        for k in range(1, subject.effort.depth + 2)
        if (need == k).any()
    }
    # One who is no better than chance anywhere is as good where more is needed, too.
    able = over_places(exam, exam.rows, right - by_chance(exam), (-1.0, 1.0)).low > SMALLEST
    panel = Panel(
        title="Depth of need", x_label="moves of look-ahead needed", y_label="P(optimal)",
        series=[Series(
            label="subject", x=[float(k) for k in by], y=[e.estimate for e in by.values()],
            low=[e.shown.low for e in by.values()], high=[e.shown.high for e in by.values()],
        )],
        bands=[Band(label="within a tenth of choices that need less, and are as close",
                    low=easy.estimate - SMALLEST, high=min(1.0, easy.estimate + SMALLEST))],
    )  # fmt: skip
    return answered(
        PROBE, apart, WORDS, rules_out=RULES_OUT if able else {}, panel=panel,
        found=response(apart),
        cited=cite(exam, exam.rows[~less], chosen[~less]),
    )  # fmt: skip
