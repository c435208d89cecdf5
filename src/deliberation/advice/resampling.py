"""Resamples of measured options: episodes, trainings and clock times drawn again, pairs kept."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WITHIN = 0.9
"""The part of decisions that a latency has to hold for."""
CLOCK = 0.05
"""Standard deviation of the logarithm of one clock time from one run to the next."""
CALM = 0.95
"""Calls that took longer than this part of all count as long as that: others use the machine."""


@dataclass(frozen=True, eq=False)
class Option:
    """One decider at one budget, as measured.

    `scores` [trainings, episodes] are returns, episode by episode the same first states for all
    options; NaN where an episode was not played. `seconds` [trainings, calls] are those of single
    decisions; `preparation` [trainings] those before the first one, spent on training or solving.
    Options of one `training` (a network alone, and searched with) share their trainings.
    """

    name: str
    kind: str
    scores: np.ndarray
    seconds: np.ndarray
    preparation: np.ndarray
    training: str = ""


@dataclass(frozen=True, eq=False)
class Draws:
    """Mean score, latency, mean seconds a decision, and preparation: each [draws, options]."""

    score: np.ndarray
    latency: np.ndarray
    each: np.ndarray
    preparation: np.ndarray


def draw(options: Sequence[Option], draws: int, seed: int) -> tuple[Draws, Draws]:
    """The quantities as measured (one draw), and in as many resamples.

    Episodes are resampled together for all options, since they have the same first states;
    trainings, which are few, are spread to the variance that their number bears out.
    """
    rng = np.random.default_rng([seed, 0])
    most = max(option.scores.shape[1] for option in options)
    weights = rng.multinomial(most, np.full(most, 1 / most), draws).astype(float)
    columns = [_resampled(option, weights, seed) for option in options]
    measured = [
        (
            float(np.nanmean(option.scores)),
            float(np.quantile(option.seconds, WITHIN)),
            float(_calm(option.seconds.ravel()).mean()),
            float(option.preparation.mean()),
        )
        for option in options
    ]
    point = Draws(*(np.array(column)[None] for column in zip(*measured, strict=True)))
    return point, Draws(*(np.stack(column, 1) for column in zip(*columns, strict=True)))


def _resampled(
    option: Option, weights: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    draws, most = weights.shape
    trainings = len(option.preparation)
    # Of one training there is one draw, whoever uses what was trained.
    shared = np.random.default_rng([seed, zlib.crc32((option.training or option.name).encode())])
    rows = shared.integers(0, trainings, (draws, trainings))
    drift = np.exp(CLOCK * shared.standard_normal(draws))
    own = np.random.default_rng([seed, zlib.crc32(option.name.encode()), 1])

    table = np.full((trainings, most), np.nan)
    table[:, : option.scores.shape[1]] = option.scores
    there = np.isfinite(table)
    count = weights @ there.T
    total = weights @ np.where(there, table, 0.0).T
    means = np.nanmean(table, 1)
    each = np.where(count > 0, total / np.maximum(count, 1), means)
    played = there.any(0).sum()
    each = means + (each - means) * np.sqrt(played / max(played - 1, 1))
    score = _over_trainings(each, rows, means)

    calls = option.seconds.ravel()
    picked = calls[own.integers(0, len(calls), (draws, len(calls)))]
    clock = np.exp(CLOCK * own.standard_normal(draws))
    paid = option.preparation
    prepared = _over_trainings(np.broadcast_to(paid, (draws, trainings)), rows, paid) * drift
    return (
        score,
        np.quantile(picked, WITHIN, axis=1) * clock,
        _calm(picked).mean(1) * clock,
        np.maximum(prepared, 0.0),
    )


def _over_trainings(each: np.ndarray, rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The mean over resampled trainings; the spread between few is stretched, as is due."""
    trainings = len(means)
    drawn = np.take_along_axis(each, rows, 1).mean(1)
    if trainings == 1:
        return drawn
    between = means[rows].mean(1) - means.mean()
    return drawn + (np.sqrt(trainings / (trainings - 1)) - 1) * between


def _calm(seconds: np.ndarray) -> np.ndarray:
    return np.minimum(seconds, np.quantile(seconds, CALM, axis=-1, keepdims=True))
