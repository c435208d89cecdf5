"""From an interval to a probe's verdict, by the smallest response that matters."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..runs.findings import Panel
from ..stats import Estimate, bootstrap
from ..stats.intervals import nothing
from .asking import BATCHES
from .exam import Exam
from .profile import Answer, Cited, Control, Found

SMALLEST = 0.1
"""The smallest response that matters: a tenth of the way from a random action to the best."""

BOTH = "The interval allows for both."
BARRED = "No verdict, for a control does not hold"
"""What is said where there is no verdict: of the interval, or of a control that fails."""


def response(estimate: Estimate, smallest: float = SMALLEST) -> Found:
    """Whether an interval lies above the smallest response, below its opposite, or between both."""
    if estimate.estimate != estimate.estimate or estimate.n == 0:
        return "inconclusive"
    if estimate.low > smallest:
        return "responds"
    if estimate.high < -smallest:
        return "against"
    if -smallest <= estimate.low and estimate.high <= smallest:
        return "none"
    return "inconclusive"


def control(name: str, estimate: Estimate, smallest: float = SMALLEST) -> Control:
    """A control holds where its interval does not lie beyond the smallest response."""
    beyond = estimate.low > smallest or estimate.high < -smallest
    return Control(name, estimate, not beyond)


def over_groups(groups: list[np.ndarray], bound: float) -> Estimate:
    """The mean of groups of items that go together, from -`bound` to `bound`: groups are resampled.

    So many equal groups, and not so many items, are what was not seen otherwise.
    """
    means = np.array([group.mean() for group in groups])
    return bootstrap(means, bounds=(-bound, bound))


def by_place(
    exam: Exam, rows: Int[np.ndarray, " n"], values: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " places"]:
    """The means of the places; states that differ in time alone are one, for one who sees no clock
    answers alike in all of them. Drawn states are places of their own.
    """
    if exam.listed is None:
        return values
    _, place = np.unique(exam.place[rows], return_inverse=True)
    return np.bincount(place.ravel(), values) / np.bincount(place.ravel())


def over_places(
    exam: Exam,
    rows: Int[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    bound: tuple[float, float],
    level: float = 0.95,
) -> Estimate:
    """The mean over places, which are resampled."""
    return bootstrap(by_place(exam, rows, values), bounds=bound, level=level)


def over_calls(
    exam: Exam,
    rows: Int[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    bound: tuple[float, float],
) -> Estimate:
    """The mean of what was asked in calls of `BATCHES[0]` rows, where calls are what is compared.

    Resampled are places, or calls where those say less: a policy that draws chance once in a call
    has as many independent answers as there were calls.
    """
    places = over_places(exam, rows, values, bound)
    groups = np.split(values, np.arange(BATCHES[0], len(values), BATCHES[0]))
    means = np.array([group.mean() for group in groups])
    if np.ptp(means) == 0:  # chance has not shown itself: what was not seen, places say
        return places
    return max(places, bootstrap(means), key=lambda e: e.high - e.low)


def answered(
    about: dict[str, Any],
    estimate: Estimate,
    words: dict[str, str],
    *,
    controls: list[Control] | None = None,
    rules_out: dict[str, str] | None = None,
    panel: Panel | None = None,
    found: Found | None = None,
    measure: str = "",
    cited: list[Cited] | None = None,
) -> Answer:
    """The answer of a probe that declares itself as `about`; a control that fails bars a verdict.

    `words` say each verdict in a sentence, `rules_out` what is then ruled out, and `measure` the
    estimate where no number does.
    """
    controls = controls or []
    verdict = response(estimate) if found is None else found
    failing = [c.name for c in controls if not c.holds]
    said = words.get(verdict, BOTH)
    if failing and verdict in ("responds", "none", "against"):
        verdict, said = "inconclusive", words.get("inconclusive", BOTH)
        said = said.replace(BOTH, f"{BARRED}: {'; '.join(failing)}.")
    return Answer(
        probe=about["name"], question=about["question"], statistic=about["statistic"],
        found=verdict, said=said, estimate=estimate,
        controls=controls, rules_out=(rules_out or {}).get(verdict, ""),
        fooled_by=about["fooled_by"], panel=panel, cited=cited or [],
        word=about.get("named", {}).get(verdict, ""), measure=measure,
    )  # fmt: skip


def not_applicable(about: dict[str, Any], why: str) -> Answer:
    """That a probe cannot be put here, and why."""
    return _unanswered(about, "not applicable", why)


def failed(about: dict[str, Any], why: str) -> Answer:
    """That a probe came to no answer, and why."""
    return _unanswered(about, "failed", why)


def _unanswered(about: dict[str, Any], found: Found, why: str) -> Answer:
    return Answer(
        probe=about["name"], question=about["question"], statistic=about["statistic"],
        found=found, said=why, estimate=nothing(),
    )  # fmt: skip
