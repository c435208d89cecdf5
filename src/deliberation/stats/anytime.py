"""Intervals that hold at every sample size at once: for who looks while observations come in.

A fixed-n interval misses once in twenty at one size; who looks after each observation and stops
when it leaves zero out errs far more often.
"""

from typing import Any

import numpy as np

from .intervals import Estimate, Number, SampleError, nothing

BETS = 24
_HALVINGS = 32


def anytime_mean(values: Any, bounds: tuple[Number, Number], *, level: float = 0.95) -> Estimate:
    """The mean of independent, bounded values so far, with its confidence sequence.

    At every n at once the mean lies within, with probability `level`. A fair game is played against
    each possible mean: part of the money is bet that values come out above it, part below, in equal
    shares at several fixed fractions; means against which 1 / (1 - level) times the stake was won
    are ruled out (the hedged capital of Waudby-Smith and Ramdas 2024; Ville's inequality). Fixed
    fractions make the order of the values irrelevant. Raises `SampleError` for values beyond the
    bounds.
    """
    low, high = map(float, bounds)
    x = np.asarray(values, float).ravel()
    if not len(x):
        return nothing()
    if not (np.isfinite([low, high]).all() and low < high):
        raise SampleError(f"bounds={bounds}: give two finite numbers, the lower one first.")
    if not ((x >= low) & (x <= high)).all():
        raise SampleError(f"A value lies beyond bounds={bounds}.")
    found, counts = np.unique((x - low) / (high - low), return_counts=True)
    middle, most = float(x.mean()), -np.log1p(-level)
    at = min(max((middle - low) / (high - low), 0.0), 1.0)
    ends = [low + (high - low) * _edge(found, counts, at, far, most) for far in (0.0, 1.0)]
    return Estimate(middle, ends[0], ends[1], len(x))


def _edge(x: np.ndarray, counts: np.ndarray, inside: float, far: float, most: float) -> float:
    """The last mean from the sample's towards `far` that is not ruled out.

    What was won is convex in the mean, so that what is not ruled out is one interval.
    """
    if _won(x, counts, far) < most:
        return far
    for _ in range(_HALVINGS):
        middle = (inside + far) / 2
        if _won(x, counts, middle) < most:
            inside = middle
        else:
            far = middle
    return far


def _won(x: np.ndarray, counts: np.ndarray, mean: float) -> float:
    """The logarithm of the capital against a mean, from a stake of 1."""
    bets = (np.arange(BETS) + 0.5)[:, None] / BETS
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(x > 0, x / mean, 1.0 if mean == 0 else 0.0)
        below = np.where(x < 1, (1 - x) / (1 - mean), 1.0 if mean == 1 else 0.0)
        gained = np.log(1 - bets + bets * np.stack([above, below])[:, None]) @ counts
    return float(np.logaddexp.reduce(gained.ravel()) - np.log(gained.size))
