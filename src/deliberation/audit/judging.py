"""From an interval to a probe's verdict, by the smallest response that matters."""

from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Int

from ..runs.findings import Panel
from ..stats import Estimate, bootstrap, bootstrap_means
from ..stats.intervals import nothing
from .asking import BATCHES
from .exam import Exam
from .profile import SMALLEST, Answer, Cited, Control, Found

ORDERS = 4_000
FEWEST = 5
"""Places that take each other's answers, at least: of fewer there are too few orders."""

BOTH = "The interval reaches to either side of what would decide it."
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
    """A control holds where its interval does not lie beyond the smallest response, and there is
    one: what could not be asked bars a verdict.
    """
    holds = estimate.low <= smallest and estimate.high >= -smallest
    return Control(name, estimate, holds)


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
    """The mean over places of what was asked in calls of `BATCHES[0]` rows.

    Resampled are places, or calls where those leave more open: a policy that draws chance once in a
    call has as many independent answers as there were calls.
    """
    return _wider(over_places(exam, rows, values, bound), in_calls(values))


def in_calls(values: Float[np.ndarray, " n"]) -> list[Float[np.ndarray, " _"]]:
    """What was asked at a time, `BATCHES[0]` rows and the rest."""
    return np.split(values, np.arange(BATCHES[0], len(values), BATCHES[0]))


def _wider(found: Estimate, calls: list[Float[np.ndarray, " _"]]) -> Estimate:
    """As far around the same number as calls part, each with the weight of its rows, where that is
    farther; where calls are alike chance has not shown itself in them.
    """
    means = np.array([call.mean() for call in calls])
    if np.ptp(means) == 0:
        return found
    sums, sizes = (np.array([f(call) for call in calls], float) for f in (np.sum, len))
    (by_call,) = bootstrap_means(lambda m: m[:, 0] / np.maximum(m[:, 1], 1.0), sums, sizes)
    if by_call.high - by_call.low <= found.high - found.low:
        return found
    down, up = _reach(by_call)
    return msgspec.structs.replace(
        by_call, estimate=found.estimate, low=found.estimate - down, high=found.estimate + up,
        bounds=found.bounds,
    )  # fmt: skip


def over_world(
    exam: Exam,
    rows: Int[np.ndarray, " n"],
    values: Float[np.ndarray, "draws n"],
    bound: tuple[float, float],
) -> Estimate:
    """The mean over the contested places of just this world, each asked twice or oftener.

    Where a share of them was asked, only the rest is not known but by them (`of_all`). Drawn states
    are of ever more.
    """
    among = over_calls(exam, rows, values.mean(0), bound)
    share = exam.share(rows)
    if share == 0:
        return among
    apart = (values[0::2] - values[1::2]) / 2
    found = of_all(among, [call for draw in apart for call in in_calls(draw)], share, bound)
    return msgspec.structs.replace(found, n=len(np.unique(exam.place[rows])))


def of_all(
    among: Estimate, apart: list[Float[np.ndarray, " _"]], share: float, bound: tuple[float, float]
) -> Estimate:
    """A mean over all items there are, of which a `share` was asked; `among` is the same mean with
    the interval that it has as one of ever more such items.

    Items that differ among themselves leave 1 - share of the squared deviation (the correction for
    a finite population, Cochran 1977, section 2.6), and chance in the answers what it does: that is
    seen where an item is asked again. `apart` are half the differences of two answers, by call.
    """
    found, parts = over_answers(apart, bound), []
    if share < 1:  # of one place there is no interval, and none is needed where it was asked
        parts.append((1 - share, _reach(among)))
    parts.append((share, _reach(found)))
    down, up = (float(np.sqrt(sum(w * reach[i] ** 2 for w, reach in parts))) for i in (0, 1))
    return msgspec.structs.replace(among, low=among.estimate - down, high=among.estimate + up)


def over_answers(calls: list[Float[np.ndarray, " _"]], bound: tuple[float, float]) -> Estimate:
    """The mean of what chance in the answers does, asked in calls: answers are the units, or calls
    where those leave more open.
    """
    return _wider(bootstrap(np.concatenate(calls), bounds=bound), calls)


def _reach(estimate: Estimate) -> tuple[float, float]:
    return estimate.estimate - estimate.low, estimate.high - estimate.estimate


def by_places(
    gains: Float[np.ndarray, "n n"], place: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "places places"]:
    """The means over pairs of rows of two places, NaN where there is none."""
    names, at = np.unique(place, return_inverse=True)
    member = np.equal.outer(np.arange(len(names)), at.ravel()).astype(float)
    known = ~np.isnan(gains)
    total = member @ np.where(known, gains, 0.0) @ member.T
    count = member @ known.astype(float) @ member.T
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def beyond_chance(
    gains: Float[np.ndarray, "places places"], level: float = 0.95
) -> Estimate | None:
    """How much more is gained by answers in their own places (the diagonal of what the answers of
    each column gain in the place of each row, NaN where they are illegal) than if they were dealt
    out anew.

    Which answer came to which place is chance where nothing was thought about the place: all orders
    are then as likely, and the interval lies beyond 0 as seldom as its level says (a permutation
    test, Fisher 1935). None where too few places take each other's answers.
    """
    shared = (~np.isnan(gains)).sum(1) >= FEWEST
    kept = gains[np.ix_(shared, shared)]
    if len(kept) < FEWEST:
        return None
    rng, at = np.random.default_rng(0), np.arange(len(kept))
    pairs = kept[at, np.array([rng.permutation(len(kept)) for _ in range(ORDERS)])]
    legal = ~np.isnan(pairs)
    if not legal.any(1).all():
        return None  # dealt out anew, hardly any answer would be legal
    dealt = np.where(legal, pairs, 0.0).sum(1) / legal.sum(1)
    gained = float(np.nanmean(np.diagonal(kept)) - dealt.mean())
    down, up = np.quantile(dealt - dealt.mean(), [(1 + level) / 2, (1 - level) / 2])
    return Estimate(gained, float(gained - down), float(gained - up), len(kept))


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
