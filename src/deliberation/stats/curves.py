"""Curves of score against compute: slopes, search-equivalents, exchange rates and break-evens."""

from typing import Any, Literal

import msgspec
import numpy as np

from .intervals import (
    Estimate,
    Number,
    SampleError,
    bootstrap,
    bootstrap_means,
    nothing,
)

Link = Literal["logit", "probit", "identity"]
_ROUNDING = 1e-9


def slope(
    x: Any,
    scores: Any,
    *,
    bounds: tuple[Number, Number] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Least-squares slope of the mean score per unit of x (for budgets pass their log2).

    `scores` [points, n] or [seeds, points, n]: the same items at every point, so the slope is the
    mean of the items' own slopes. `bounds` is the range of scores (by default the range seen); it
    matters only when every item has the same slope.
    """
    at, table = _points("x", x, scores)
    if len(at) < 2 or np.ptp(at) == 0:
        raise SampleError("A slope needs scores at two different x at least.")
    if table.size == 0:
        return nothing()
    weights = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    low, high = bounds or _seen_range(table)
    widest = float(np.abs(weights).sum() / 2 * (high - low))
    each = np.einsum("p,spn->sn", weights, table)
    if np.ptp(each) <= 1e-12 * max(1.0, widest):
        each = np.full_like(each, each.mean())
    if widest > 0 and np.ptp(each) == 0:
        # Set aside by 2, since slopes that are all 0 or all 1 would be taken for rates.
        far = bootstrap(each + 2.0, bounds=(2.0 - widest, 2.0 + widest), level=level)
        return Estimate(far.estimate - 2.0, far.low - 2.0, far.high - 2.0, each.size, far.freedom)
    return bootstrap_means(lambda m: m[:, 0], each, seed=seed, level=level)[0]


def search_equivalent(
    budgets: Any, search_scores: Any, network_scores: Any, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """The budget at which search alone scores what the network scores alone.

    `search_scores` [points, n] or [seeds, points, n], `network_scores` [n] or [seeds, n], on the
    same items; budgets positive and increasing. The curve is the isotonic fit (more search is
    never worse), linear in log2 of the budget between points; the equivalent is the first budget
    that reaches the network's score. Censored answers are bounds: 0 reads "less than the smallest
    budget", infinity "more than the largest".
    """
    at, table = _points("budgets", budgets, search_scores)
    if (at <= 0).any() or (np.diff(at) <= 0).any():
        raise SampleError("Budgets must be positive and increasing: they are read on a log scale.")
    log_budgets = np.log2(at)

    def equivalent(means: np.ndarray) -> np.ndarray:
        return np.array([_reach(log_budgets, m[:-1], m[-1]) for m in means])

    columns = list(np.moveaxis(table, 1, 0))
    (log,) = bootstrap_means(
        equivalent, *columns, network_scores, seed=seed, level=level, draws=1000
    )
    low = 0.0 if log.low < log_budgets[0] else float(np.exp2(log.low))
    high = np.inf if log.high > log_budgets[-1] else float(np.exp2(log.high))
    return Estimate(float(np.exp2(log.estimate)), low, float(high), log.n, log.freedom)


def needed_cost(
    costs: Any, scores: Any, goal: Number, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """The mean cost at which the mean score reaches a goal, both measured on the same items.

    `costs` and `scores` [points, n] or [seeds, points, n], points in the order of their costs. The
    curve is the isotonic fit, linear in log2 of the mean cost. Censored answers are bounds, as of
    `search_equivalent`: 0 reads "less than the smallest cost", infinity "more than the largest".
    """
    paid, table = (np.asarray(x, float) for x in (costs, scores))
    paid, table = (x[None] if x.ndim == 2 else x for x in (paid, table))
    if paid.shape != table.shape or paid.ndim != 3 or (paid < 0).any():
        raise SampleError(
            f"Costs are 0 or more and of the shape of the scores, [points, n] or [seeds, points, "
            f"n]; got {np.shape(costs)} and {np.shape(scores)}."
        )
    count = table.shape[1]

    def reached(means: np.ndarray) -> np.ndarray:
        at = np.log2(np.maximum(np.maximum.accumulate(means[:, count:], axis=1), 1e-9))
        return np.array([_reach(x, m[:count], goal) for x, m in zip(at, means, strict=True)])

    columns = [*np.moveaxis(table, 1, 0), *np.moveaxis(paid, 1, 0)]
    (log,) = bootstrap_means(reached, *columns, seed=seed, level=level, draws=1000)
    middle, low, high = np.exp2([log.estimate, log.low, log.high]).tolist()
    return Estimate(middle, low, high, log.n, log.freedom)


class Plane(msgspec.Struct, frozen=True):
    """A fitted score surface: link(score) = intercept + train x log10 T + decision x log10 D.

    `exchange` is the slope of its isolines, d log10 D / d log10 T = -train / decision: how many
    decades of decision compute one decade of training compute is worth (negative: it saves them).
    `gain` is `decision` with its interval: without gain there is nothing to exchange.
    """

    intercept: float
    train: float
    decision: float
    gain: Estimate
    exchange: Estimate
    link: Link
    cells: int

    def score(self, train_flops: Any, decision_flops: Any) -> Any:
        """The fitted score at these amounts of compute."""
        return _unlink(
            self.intercept
            + self.train * np.log10(train_flops)
            + self.decision * np.log10(decision_flops),
            self.link,
        )

    def isoline(self, score: Number, train_flops: Any) -> Any:
        """Decision FLOPs that give this score at each amount of training FLOPs."""
        level = _link(score, self.link)
        exponent = (level - self.intercept - self.train * np.log10(train_flops)) / self.decision
        return np.power(10.0, exponent)


def exchange_rate(
    train_flops: Any,
    decision_flops: Any,
    scores: Any,
    *,
    link: Link = "logit",
    unsaturated: tuple[Number, Number] = (0.05, 0.95),
    seed: int = 0,
    level: float = 0.95,
) -> Plane:
    """Fit a plane to scores over training and decision compute (after Jones 2021, section 4).

    Cells are [m] training FLOPs, [m] decision FLOPs and [m, n] or [seeds, m, n] paired scores.
    Only cells whose mean score lies within `unsaturated` enter the fit; rates are linked by logit
    or probit, other scores by the identity (set `unsaturated` to their range). Too few cells give
    NaN; an interval of the decision slope that includes 0 gives an unbounded exchange rate.
    """
    table, design = _unsaturated(train_flops, decision_flops, scores, unsaturated)
    if len(design) < 3 or np.linalg.matrix_rank(design) < 3:
        nan = float("nan")
        unknown = nothing(table.size)
        return Plane(nan, nan, nan, unknown, unknown, link, len(design))
    solve = np.linalg.pinv(design)
    margin = 0.5 / max(table.shape[2] * table.shape[0], 1)

    def fit(cell_means: np.ndarray) -> np.ndarray:
        plane = _link(cell_means, link, margin) @ solve.T
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.column_stack([plane, -plane[:, 1] / plane[:, 2]])

    columns = np.moveaxis(table, 1, 0)
    a, b, c, rate = bootstrap_means(fit, *columns, seed=seed, level=level)
    if c.low <= 0 <= c.high:
        rate = Estimate(rate.estimate, -float("inf"), float("inf"), rate.n, rate.freedom)
    return Plane(a.estimate, b.estimate, c.estimate, c, rate, link, len(design))


def curvature(
    train_flops: Any,
    decision_flops: Any,
    scores: Any,
    *,
    unsaturated: tuple[Number, Number] = (0.05, 0.95),
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """How far scores bend in log10 of decision compute, beside the plane of `exchange_rate`.

    The coefficient of the squared logarithm in a least-squares fit over the same cells: 0 where a
    plane fits, and the rate of exchange is the same everywhere.
    """
    table, plane = _unsaturated(train_flops, decision_flops, scores, unsaturated)
    at = plane[:, 2]
    design = np.column_stack([plane, (at - at.sum() / max(len(at), 1)) ** 2])
    if len(design) < 4 or np.linalg.matrix_rank(design) < 4:
        return nothing(table.size)
    solve = np.linalg.pinv(design)[-1:]
    columns = np.moveaxis(table, 1, 0)
    return bootstrap_means(lambda m: m @ solve.T, *columns, seed=seed, level=level)[0]


def break_even(training: Any, search_decision: Any, network_decision: Any) -> Estimate:
    """Decisions after which training has paid: training / (search - network), costs in one unit.

    Each cost is a number, an `Estimate`, or samples [n] of it. Intervals are propagated by the
    method of variance estimates recovery (Zou and Donner 2008), in logs for the ratio. Infinity:
    the network is not (known to be) cheaper, so training need never pay. Where a cost is only a
    bound (`Estimate.censored`), so is the answer: at most, if its interval begins at 0; at least,
    if it has no end.
    """
    cost, slow, fast = (_as_estimate(c) for c in (training, search_decision, network_decision))
    n = min((e.n for e in (cost, slow, fast) if e.n), default=0)
    if any(np.isnan(e.estimate) for e in (cost, slow, fast)):
        return nothing(n)
    gain = slow.estimate - fast.estimate
    gain_low = gain - np.hypot(slow.estimate - slow.low, fast.high - fast.estimate)
    gain_high = gain + np.hypot(slow.high - slow.estimate, fast.estimate - fast.low)
    if cost.estimate <= 0:
        raise SampleError(f"A training cost of {cost.estimate} leaves nothing to earn back.")
    inf = float("inf")
    estimate = cost.estimate / gain if gain > 0 else inf
    down = np.hypot(_log_ratio(cost.estimate, cost.low), _log_ratio(gain_high, gain))
    up = np.hypot(_log_ratio(cost.high, cost.estimate), _log_ratio(gain, gain_low))
    low = estimate * np.exp(-down) if gain > 0 else (cost.low / gain_high if gain_high > 0 else inf)
    high = estimate * np.exp(up)
    bound = any(e.censored for e in (cost, slow, fast))
    return Estimate(float(estimate), float(low), float(high), n, censored=bound)


def _unsaturated(
    train_flops: Any, decision_flops: Any, scores: Any, within: tuple[Number, Number]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [seeds, cells, n] of cells whose mean lies within, and rows of a plane's design."""
    train, table = _points("train_flops", train_flops, scores)
    decision, _ = _points("decision_flops", decision_flops, scores)
    if (train <= 0).any() or (decision <= 0).any():
        raise SampleError("FLOPs must be positive: they are read on a log scale.")
    means = table.mean((0, 2)) if table.size else np.full(len(train), np.nan)
    keep = (means >= within[0]) & (means <= within[1])
    ones = np.ones(int(keep.sum()))
    design = np.stack([ones, np.log10(train[keep]), np.log10(decision[keep])], 1)
    return table[:, keep], design


def _points(name: str, x: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """(x [points], scores [seeds, points, n]) with matching points."""
    at, table = np.asarray(x, float), np.asarray(scores, float)
    if table.ndim == 2:
        table = table[None]
    if table.ndim != 3 or at.shape != table.shape[1:2] or not np.isfinite(at).all():
        raise SampleError(
            f"Scores are [points, n] or [seeds, points, n] with one finite {name} a point; "
            f"got {name} {at.shape} and scores {np.shape(scores)}."
        )
    return at, table


def _seen_range(table: np.ndarray) -> tuple[float, float]:
    low, high = float(table.min()), float(table.max())
    return (0.0, 1.0) if low == high and low in (0.0, 1.0) else (low, high)


def _reach(log_budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    """log2 of the first budget whose isotonic score reaches the target; infinite if censored."""
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(scores).x
    if target < curve[0] - _ROUNDING:
        return -np.inf
    if target > curve[-1] + _ROUNDING:
        return np.inf
    i = int(np.argmax(curve >= target - _ROUNDING))
    if i == 0:
        return float(log_budgets[0])
    part = (target - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(log_budgets[i - 1] + part * (log_budgets[i] - log_budgets[i - 1]))


def _link(score: Any, link: Link, margin: float = 0.0) -> Any:
    from scipy.special import logit, ndtri

    if link == "identity":
        return score
    clipped = np.clip(score, margin, 1 - margin)
    return logit(clipped) if link == "logit" else ndtri(clipped)


def _unlink(value: Any, link: Link) -> Any:
    from scipy.special import expit, ndtr

    if link == "identity":
        return value
    return expit(value) if link == "logit" else ndtr(value)


def _as_estimate(cost: Any) -> Estimate:
    if isinstance(cost, Estimate):
        return cost
    if np.ndim(cost) == 0:
        return Estimate(float(cost), float(cost), float(cost), 0)
    x = np.asarray(cost, float)
    if x.size and np.ptp(x) == 0:
        # A cost that is counted, not timed, is the same every time: nothing is uncertain.
        return Estimate(float(x.flat[0]), float(x.flat[0]), float(x.flat[0]), x.size)
    return bootstrap(x)


def _log_ratio(high: float, low: float) -> float:
    """log(high / low), infinite where the lower bound is not positive."""
    if not high > 0:
        return 0.0
    return float(np.log(high / low)) if low > 0 else float("inf")
