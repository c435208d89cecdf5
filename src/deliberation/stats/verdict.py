"""Verdicts from intervals, never from taste."""

from collections.abc import Iterable
from typing import Literal

from .intervals import Estimate, Number, SampleError

Verdict = Literal["supported", "refuted", "inconclusive"]


def judge(
    estimate: Estimate,
    *,
    above: Number | None = None,
    below: Number | None = None,
    within: tuple[Number, Number] | None = None,
) -> Verdict:
    """Whether an interval supports a claim about the quantity; give exactly one claim.

    `above` and `below` claim strict inequality: supported if the whole interval is on that side,
    refuted if none of it is. `within` claims equivalence: supported if the interval is inside,
    refuted if it is disjoint. Everything else, and whatever is not known, is inconclusive.
    """
    if sum(claim is not None for claim in (above, below, within)) != 1:
        raise SampleError("judge() wants exactly one of above=, below= and within=.")
    low, high = estimate.low, estimate.high
    if low != low or high != high or estimate.n == 0:
        return "inconclusive"
    if above is not None:
        return _verdict(low > above, high <= above)
    if below is not None:
        return _verdict(high < below, low >= below)
    assert within is not None
    return _verdict(within[0] <= low and high <= within[1], high < within[0] or low > within[1])


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on "all of these": one refutation refutes, one doubt leaves it open."""
    found = set(verdicts)
    return _verdict(found == {"supported"}, "refuted" in found)


def _verdict(supported: bool, refuted: bool) -> Verdict:
    if supported:
        return "supported"
    return "refuted" if refuted else "inconclusive"
