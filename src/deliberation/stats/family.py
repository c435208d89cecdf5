"""One error rate for a whole family of verdicts.

Of many claims judged at 95 % each, some would come out by chance. Holm's procedure (Holm 1979)
bounds the probability that any verdict of the family is wrong, whatever their dependence.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from .intervals import Estimate, Number, SampleError, t_quantile
from .verdict import Verdict, judge

LEVEL = 0.05


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What is claimed of a quantity: that it lies above, below, or within; exactly one is given.

    The bound is the smallest effect that matters, so that a null effect which is measured well
    enough refutes.
    """

    above: Number | None = None
    below: Number | None = None
    within: tuple[Number, Number] | None = None
    log: bool = False
    """Whether the quantity is positive and its interval is read in logarithms, as of a ratio."""

    def __post_init__(self) -> None:
        if sum(x is not None for x in (self.above, self.below, self.within)) != 1:
            raise SampleError("Exactly one of above=, below= and within= is claimed.")

    def judge(self, estimate: Estimate) -> Verdict:
        """By the interval alone."""
        return judge(estimate, above=self.above, below=self.below, within=self.within)

    def bounds(self) -> tuple[Number, ...]:
        """The numbers that the quantity is compared with."""
        if self.within is not None:
            return self.within
        return (float(self.below if self.above is None else self.above),)  # type: ignore[arg-type]


def p_value(estimate: Estimate, claimed: Claimed) -> float:
    """How often chance would carry an interval as far beyond the bound, on either side.

    Read back from the 95 % interval and its degrees of freedom, so that p < .05 exactly where the
    interval clears the bound. 1 where nothing is known; .05 where the interval clears the bound but
    the estimate is only a bound itself (infinite, as the logarithm of 0 is, or `censored`): more
    than that the interval does not tell.
    """
    at, bounds = _logged(estimate, claimed) if claimed.log else (estimate, claimed.bounds())
    one_sided = not np.isfinite([at.low, at.high]).all()
    unknown = not np.isfinite(at.estimate) or (one_sided and _is_bound(at))
    if unknown or estimate.censored:
        return LEVEL if claimed.judge(estimate) != "inconclusive" else 1.0
    values = [_beyond(at, bound) for bound in bounds]
    if len(values) == 1:
        return values[0]
    low, high = bounds
    if low <= at.estimate <= high:
        return max(values)  # both ends have to be ruled out
    return values[0] if at.estimate < low else values[1]


def _logged(estimate: Estimate, claimed: Claimed) -> tuple[Estimate, tuple[float, ...]]:
    with np.errstate(divide="ignore"):
        middle, low, high = (
            float(np.log(max(x, 0.0))) for x in (estimate.estimate, estimate.low, estimate.high)
        )
        bounds = tuple(float(np.log(max(x, 0.0))) for x in claimed.bounds())
    return Estimate(middle, low, high, estimate.n, estimate.freedom), bounds


def _is_bound(estimate: Estimate) -> bool:
    """Whether the estimate is itself an end of its interval: more is not known."""
    return estimate.estimate in (estimate.low, estimate.high)


def _beyond(estimate: Estimate, bound: Number) -> float:
    from scipy.special import stdtr

    side = estimate.low if estimate.estimate > bound else estimate.high
    half, away = abs(estimate.estimate - side), abs(estimate.estimate - bound)
    if not np.isfinite(half):
        return 1.0
    if half == 0:
        return 1.0 if away == 0 else 0.0
    freedom = estimate.freedom
    return float(2 * stdtr(freedom, -away / half * t_quantile(1 - LEVEL, freedom)))


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which of a family hold so that any is wrong with at most this probability (Holm 1979)."""
    order, count = np.argsort(p_values, kind="stable"), len(p_values)
    holds = [False] * count
    for place, index in enumerate(order):
        if not p_values[index] <= level / (count - place):
            break
        holds[index] = True
    return holds


def judge_family(family: Sequence[tuple[Estimate, Claimed]]) -> list[Verdict]:
    """The verdict on each, under one error rate for all: what does not survive is inconclusive."""
    holds = holm([p_value(estimate, claimed) for estimate, claimed in family])
    return [
        claimed.judge(estimate) if held else "inconclusive"
        for (estimate, claimed), held in zip(family, holds, strict=True)
    ]
