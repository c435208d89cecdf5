"""Rows of the table: what a claim says of a quantity, what is only checked, what is only told."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...runs import Row
from ...stats import Claimed, Estimate, bounded

Claim = Mapping[str, Any]


def claimed(
    claim: Claim, task: str, decider: str, quantity: str, estimate: Estimate, **said: Any
) -> Row:
    """A row that can be refuted: the quantity lies beyond the smallest effect that matters.

    `said` holds exactly one of `above`, `below` and `within`, and fields of `Row`. The verdict is
    not given here but with all others of the table, under one error rate.
    """
    return _row(claim, task, decider, quantity, estimate, kind="claim", **_bounds(said))


def check(
    claim: Claim, task: str, decider: str, quantity: str, estimate: Estimate, **said: Any
) -> Row:
    """A row that is true by construction if the instrument works: shown, and never counted.

    `said` is as for `claimed`.
    """
    row = _row(claim, task, decider, quantity, estimate, kind="check", **_bounds(said))
    found = claimed_of(row).judge(estimate)
    verdict = {"supported": "holds", "refuted": "fails"}.get(found, "inconclusive")
    return _with(row, verdict=verdict, alone=verdict)


def told(
    claim: Claim, task: str, decider: str, quantity: str, estimate: Estimate, **more: Any
) -> Row:
    """A row that reports a quantity and claims nothing."""
    return _row(claim, task, decider, quantity, estimate, kind="told", **more)


def absent(claim: Claim, task: str, verdict: str, reason: str) -> Row:
    """A row of what was not measured: "not applicable" or "not measured", and why."""
    nothing = Estimate(float("nan"), float("nan"), float("nan"), 0)
    row = _row(claim, task, "", claim["title"], nothing, kind="absent", reason=reason)
    return _with(row, verdict=verdict)


def estimate_of(row: Row) -> Estimate:
    """The row's estimate."""
    found = Estimate(row.estimate, row.low, row.high, row.n, row.freedom, row.censored)
    if row.least is None or row.most is None:
        return found
    return bounded(found, row.least, row.most)


def claimed_of(row: Row) -> Claimed:
    """What the row claims."""
    if row.above is not None and row.below is not None:
        return Claimed(within=(row.above, row.below), log=row.log)
    return Claimed(above=row.above, below=row.below, log=row.log)


def with_verdict(row: Row, verdict: str) -> Row:
    """The row judged with its family, and by its own interval."""
    return _with(row, verdict=verdict, alone=claimed_of(row).judge(estimate_of(row)))


def _bounds(said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with `within` as above its lower end and below its upper one."""
    more = dict(said)
    bounds = {name: more.pop(name, None) for name in ("above", "below", "within")}
    Claimed(**bounds)  # raises where not exactly one is claimed
    low, high = bounds["within"] or (bounds["above"], bounds["below"])
    return {"above": low, "below": high, **more}


def _row(
    claim: Claim, task: str, decider: str, quantity: str, estimate: Estimate, **more: Any
) -> Row:
    side = more.pop("side", claim["side"])
    least, most = estimate.bounds or (None, None)
    return Row(
        claim=claim["name"],
        aspect=claim["aspect"],
        side=side,
        task=task,
        decider=decider,
        quantity=quantity,
        estimate=estimate.estimate,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        freedom=estimate.freedom,
        censored=estimate.censored,
        least=least,
        most=most,
        over=more.pop("over", claim["unit"]),
        **more,
    )


def _with(row: Row, **changes: Any) -> Row:
    return msgspec.structs.replace(row, **changes)
