"""Estimates with intervals: for means, rates, and any statistic of paired samples.

Samples are arrays [n] (items: positions, games) or [seeds, n] (each training seed met the same
items). Items are resampled for the shape of the interval. With few seeds a plain bootstrap is too
narrow and a two-way one too wide, so the width is that of the variance under clustering by seed
and by item (Cameron, Gelbach and Miller 2011), each part by resampling its axis, at a t quantile
with Satterthwaite's degrees of freedom (as Hesterberg 2015 does for one axis).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .estimate import Estimate, Number, bounded, nothing

DRAWS = 2000
Stream = tuple[int, ...]
"""What names a stream of random numbers, as `numpy.random.default_rng` takes it."""
_CHUNK = 4_000_000
_ROUNDING = 1e-6
"""Values that differ by less, in parts of what they can be, are the same but for rounding."""


class SampleError(ValueError):
    """Samples a statistic cannot be computed from; the message says which and why."""


def proportion(successes: Number, n: Number, *, level: float = 0.95) -> Estimate:
    """Wilson's score interval for a rate; honest at 0 and at n successes (Wilson 1927)."""
    if not 0 <= successes <= n:
        raise SampleError(f"{successes} successes in {n} trials: successes must lie in [0, n].")
    if n == 0:
        return nothing()
    low, high = _wilson(successes / n, n, _normal_quantile(level))
    return Estimate(successes / n, low, high, int(n), _of_counts(n))


def exact_proportion(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Clopper and Pearson's interval for a rate, never too narrow, for few trials (1934)."""
    from scipy.stats import beta

    if n == 0:
        return nothing()
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, successes, n - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return Estimate(successes / n, low, high, n, _of_counts(n))


def rate(outcomes: Any, *, level: float = 0.95) -> Estimate:
    """The rate of ones among 0/1 outcomes [n] or [seeds, n], with an interval never of width 0.

    Wilson's interval at the effective number of trials: training seeds and items that go
    together count for less than as many independent trials. Where all outcomes are alike nothing
    shows how far seeds differ, and only items are counted: where one seed in five fails on all of
    its items, the interval of 3 seeds with 20 items each misses the rate in a third of all samples.
    """
    x = _as_sample(outcomes)
    if x.size == 0:
        return nothing()
    if not np.isin(x, (0.0, 1.0)).all():
        raise SampleError("rate() wants outcomes 0 or 1; use bootstrap() for other numbers.")
    seeds, n = x.shape
    p = float(x.mean())
    if seeds == 1 or p in (0.0, 1.0):
        low, high = _wilson(p, n, _normal_quantile(level))
        return Estimate(p, low, high, x.size, _of_counts(n))
    variance, freedom = _clustered(
        _mean_variance(x.mean(1)), _mean_variance(x.mean(0)), p * (1 - p) / x.size, seeds, n
    )
    trials = min(p * (1 - p) / variance, float(x.size))
    low, high = _wilson(p, trials, t_quantile(level, freedom))
    return Estimate(p, low, high, x.size, freedom)


def bootstrap(
    values: Any,
    statistic: Callable[..., Any] = np.mean,
    *,
    seed: int = 0,
    level: float = 0.95,
    draws: int = DRAWS,
    bounds: tuple[Number, Number] | None = None,
) -> Estimate:
    """A statistic of one sample [n] or [seeds, n] with its bootstrap interval.

    `statistic(sample, axis=-1)` must be vectorised, as numpy's are. Means of 0/1 values are
    `rate`s. A sample whose values are all equal says nothing about its spread: with `bounds` (the
    range values can take; then also where they are equal but for rounding) the interval allows for
    unseen values as often as zero occurrences in n do; without them the interval is NaN. A mean
    lies within the bounds of its values, and the estimate says so; its interval may reach beyond,
    and is not cut (see `Estimate.shown`). It is too narrow for small samples of what is seldom far
    off: where one value in ten is, and the others hardly differ, the interval of 8 of them covers
    the mean in about half of all samples.
    """
    x = _as_sample(values)
    if statistic is not np.mean:
        return paired_bootstrap(statistic, x, seed=seed, level=level, draws=draws)
    if x.size and np.isin(x, (0.0, 1.0)).all() and bounds in (None, (0, 1)):
        return rate(x, level=level)
    if x.size > 1 and _alike(x, bounds):
        found = _constant(float(x.mean()), x, bounds, level)
    else:
        found = bootstrap_means(lambda m: m[..., 0], x, seed=seed, level=level, draws=draws)[0]
    return found if bounds is None else bounded(found, *bounds)


def paired_bootstrap(
    statistic: Callable[..., Any],
    *arrays: Any,
    seed: int = 0,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """A statistic of several samples whose items (and seeds) are the same, resampled together.

    `statistic(*samples, axis=-1)` is called on resampled arrays [draws, observations] and must
    reduce their last axis. For statistics that depend on means only, `bootstrap_means` is faster.
    """
    stack = _stack(arrays)
    if stack.size == 0:
        return nothing()

    def replicate(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        block = stack[:, rows, columns].reshape(len(stack), len(rows), -1)
        return np.asarray(statistic(*block, axis=-1), float)

    def draw(kind: str, count: int, stream: Stream) -> np.ndarray:
        rng = np.random.default_rng(stream)
        chunk = max(1, _CHUNK // stack.size)
        sizes = [min(chunk, count - at) for at in range(0, count, chunk)]
        return np.concatenate([replicate(*_indices(kind, s, stack, rng)) for s in sizes])

    flat = stack.reshape(len(stack), 1, -1)
    value = np.asarray(statistic(*flat, axis=-1), float)[0]
    return _interval(value, draw, stack.shape[1:], seed, level, draws)


def weighted_sum(estimates: Sequence[Estimate], weights: Sequence[Number]) -> Estimate:
    """A sum of independent quantities, each with its weight; deviations add as squares.

    By the method of variance estimates recovery (Zou and Donner 2008). The degrees of freedom are
    the fewest of those that take part: on the safe side.
    """
    part = [(e, float(w)) for e, w in zip(estimates, weights, strict=True) if w != 0]
    if not part:
        return nothing()
    middle = sum(w * e.estimate for e, w in part)
    down = np.hypot.reduce([abs(w) * _reach(e, low=w > 0) for e, w in part])
    up = np.hypot.reduce([abs(w) * _reach(e, low=w < 0) for e, w in part])
    least, freedom = min(e.n for e, _ in part), min(e.freedom for e, _ in part)
    return Estimate(float(middle), float(middle - down), float(middle + up), least, freedom)


def _reach(estimate: Estimate, *, low: bool) -> float:
    return estimate.estimate - estimate.low if low else estimate.high - estimate.estimate


def bootstrap_means(
    function: Callable[[np.ndarray], Any],
    *arrays: Any,
    seed: int = 0,
    level: float = 0.95,
    draws: int = DRAWS,
) -> list[Estimate]:
    """Functions of the means of k paired samples, resampled together.

    `function` maps means [draws, k] to values [draws] or [draws, outputs]; one estimate an output.
    """
    stack = _stack(arrays)
    shape = np.asarray(function(np.zeros((1, len(stack))))).shape
    outputs = shape[1] if len(shape) > 1 else 1
    if stack.size == 0:
        return [nothing() for _ in range(outputs)]
    drawn: dict[str, np.ndarray] = {}

    def of(means: np.ndarray) -> np.ndarray:
        return np.asarray(function(means), float).reshape(len(means), outputs)

    value = of(stack.mean((1, 2))[None])[0]
    estimates = []
    for k in range(outputs):

        def draw(kind: str, count: int, stream: Stream, k: int = k) -> np.ndarray:
            if kind not in drawn:
                drawn[kind] = of(_mean_draws(kind, count, stack, stream))
            return drawn[kind][:, k]

        estimates.append(_interval(value[k], draw, stack.shape[1:], seed, level, draws))
    return estimates


def _as_sample(values: Any) -> np.ndarray:
    """[seeds, n] from [n] or [seeds, n], refusing NaN and infinity."""
    x = np.asarray(values, float)
    if x.ndim not in (1, 2):
        raise SampleError(f"A sample is [n] or [seeds, n]; got shape {x.shape}.")
    if not np.isfinite(x).all():
        raise SampleError(
            f"{int((~np.isfinite(x)).sum())} of {x.size} values are NaN or infinite: leave out "
            "items that were not measured in every condition, rather than scoring them."
        )
    return np.atleast_2d(x)


def _stack(arrays: tuple[Any, ...]) -> np.ndarray:
    """[k, seeds, n]; samples without seeds are the same for every seed."""
    try:
        return np.stack(np.broadcast_arrays(*[_as_sample(a) for a in arrays]))
    except SampleError:
        raise
    except ValueError as error:
        shapes = [np.shape(a) for a in arrays]
        raise SampleError(f"Paired samples need the same items and seeds; got {shapes}.") from error


def _indices(
    kind: str, count: int, stack: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Row and column indices of resampled samples: of both axes, one of them, or single cells."""
    _, seeds, n = stack.shape
    if kind == "cells":
        cells = rng.integers(0, seeds * n, (count, seeds * n))
        return cells // n, cells % n
    rows, columns = np.arange(seeds)[None], np.arange(n)[None]
    if kind in ("both", "seeds"):
        rows = rng.integers(0, seeds, (count, seeds))
    if kind in ("both", "items"):
        columns = rng.integers(0, n, (count, n))
    shape = (count, seeds, n)
    return np.broadcast_to(rows[:, :, None], shape), np.broadcast_to(columns[:, None, :], shape)


def _mean_draws(kind: str, count: int, stack: np.ndarray, stream: Stream) -> np.ndarray:
    """Means [count, k] of resampled samples, by multinomial weights instead of copies."""
    k, seeds, n = stack.shape
    if kind == "cells":
        return _weights(seeds * n, count, stream) @ stack.reshape(k, -1).T
    if kind == "seeds":
        return _weights(seeds, count, stream) @ stack.mean(2).T
    if kind == "items" or seeds == 1:
        return _weights(n, count, stream) @ stack.mean(1).T
    rows, columns = _weights(seeds, count, (*stream, 0)), _weights(n, count, (*stream, 1))
    return np.stack([((columns @ x.T) * rows).sum(1) for x in stack], 1)


@functools.lru_cache(maxsize=8)
def _weights(size: int, count: int, stream: Stream) -> np.ndarray:
    """How often each of `size` items is drawn, over `size`: [count, size], by the stream alone.

    Drawing them is most of what a bootstrap takes, and samples of one size share them.
    """
    found = np.random.default_rng(stream).multinomial(size, np.full(size, 1 / size), count) / size
    found.setflags(write=False)
    return found


def _interval(
    value: float,
    draw: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    seed: int,
    level: float,
    draws: int,
) -> Estimate:
    """Percentiles of the replicates, spread about the estimate to the right variance."""
    seeds, n = shape
    tail = (1 - level) / 2
    unknown = Estimate(float(value), float("nan"), float("nan"), seeds * n)
    replicates = draw("items", draws, (seed, 0))
    if seeds > 1 and not np.isfinite(replicates).all():
        replicates = draw("both", draws, (seed, 4))
    known = replicates[~np.isnan(replicates)]
    if np.isnan(value) or n < 2 or len(known) < draws * (1 - tail):
        return unknown
    # inverted_cdf picks a replicate: interpolating between infinities would make NaN.
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    if not np.isfinite([low, value, high]).all():
        few = float(seeds - 1 if seeds > 1 else n - 1)
        return Estimate(float(value), float(low), float(high), seeds * n, few)
    if seeds == 1:
        stretch = np.sqrt(n / (n - 1)) * t_quantile(level, n - 1) / _normal_quantile(level)
        down, up, freedom = stretch * (value - low), stretch * (high - value), float(n - 1)
    else:
        width, freedom = _clustered_width(draw, seeds, n, seed, level, draws)
        share = (value - low) / (high - low) if high > low else 0.5
        down, up = share * width, (1 - share) * width
    return Estimate(float(value), float(value - down), float(value + up), seeds * n, freedom)


def _clustered_width(
    draw: Callable[..., np.ndarray], seeds: int, n: int, seed: int, level: float, draws: int
) -> tuple[float, float]:
    """The width of a t interval for seeds crossed with items, and its degrees of freedom.

    The bootstrap keeps its skew.
    """
    few = max(200, draws // 4)
    parts = [
        _variance(draw(kind, few, (seed, i)))
        for i, kind in enumerate(("seeds", "items", "cells"), 1)
    ]
    by_seed, by_item = parts[0] * seeds / (seeds - 1), parts[1] * n / (n - 1)
    total, freedom = _clustered(by_seed, by_item, parts[2], seeds, n)
    return 2 * t_quantile(level, freedom) * float(np.sqrt(total)), freedom


def _clustered(
    by_seed: float, by_item: float, by_cell: float, seeds: int, n: int
) -> tuple[float, float]:
    """Variance under two-way clustering, and Satterthwaite's degrees of freedom for it.

    The variance between seeds counts in full towards the degrees of freedom even where it is no
    larger than noise: a few seeds that happen to agree do not show that seeds agree.
    """
    base = max(by_item, by_cell)
    total = base + max(by_seed - by_cell, 0.0)
    if not total > 0:
        return 0.0, float(seeds - 1)
    freedom = total**2 / (by_seed**2 / (seeds - 1) + base**2 / max(n - 1, 1))
    return total, max(float(freedom), float(seeds - 1))


def _alike(x: np.ndarray, bounds: tuple[Number, Number] | None) -> bool:
    """Whether values are equal; beside what they can be, where that is known, no more apart than
    32-bit sums round.
    """
    span = np.inf if bounds is None else bounds[1] - bounds[0]
    return bool(np.ptp(x) <= (_ROUNDING * span if np.isfinite(span) else 0.0))


def _constant(
    value: float, x: np.ndarray, bounds: tuple[Number, Number] | None, level: float
) -> Estimate:
    if bounds is None:
        return Estimate(value, float("nan"), float("nan"), x.size)
    unseen = _wilson(0.0, x.shape[1], _normal_quantile(level))[1]
    low, high = (value + unseen * (end - value) for end in bounds)
    return Estimate(value, low, high, x.size, _of_counts(x.shape[1]))


def _of_counts(n: Number) -> float:
    """Degrees of freedom behind an interval of counts: far beyond it their tails are those of a t
    distribution rather than of a normal one (10 of 10 against a half: p = .0020 exactly, .0028 by
    nine degrees of freedom, .0004 by infinitely many).
    """
    return max(float(n) - 1.0, 1.0)


def _wilson(p: Number, n: Number, z: float) -> tuple[float, float]:
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if p == 0 else max(0.0, float(centre - half))
    return low, 1.0 if p == 1 else min(1.0, float(centre + half))


def _mean_variance(means: np.ndarray) -> float:
    return float(means.var(ddof=1) / len(means))


def _variance(replicates: np.ndarray) -> float:
    finite = replicates[np.isfinite(replicates)]
    return float(finite.var()) if len(finite) > 1 else 0.0


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def t_quantile(level: float, freedom: Number) -> float:
    """Student's t: between minus and plus this lies a share `level` of it."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
