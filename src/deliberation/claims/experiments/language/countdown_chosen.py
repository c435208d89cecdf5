"""Of many samples: what choosing one of them gives, by who chooses, and what a law forecasts."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ....stats import fit_beta_law, majority_at_k, pass_at_k
from ....stats.coverage import beta_failure
from ....tasks.text import Countdown

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Samples of which one is chosen."""
FORECAST = (32, 64, 128)
"""Samples for which coverage is forecast."""
ERRS, NOISE = 0.1, 0.5
"""How often the verifier errs that says yes or no; the scale of the error of those that score."""
DRAWS = 64
Right = Float[np.ndarray, "problems samples"]


def same_answer(
    task: Countdown, drawn: Int[np.ndarray, "problems samples answer"]
) -> Int[np.ndarray, "problems samples"]:
    """A number for each answer: the same for the same lines, in any order and with sums turned."""
    lines = drawn[..., :-1].reshape(*drawn.shape[:-1], task.numbers - 1, 6).astype(np.uint64)
    a, sign, b, result = (lines[..., i] for i in (0, 1, 2, 4))
    turned = np.isin(sign, task.encode("+ *")) & (a > b)
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    code = ((a * 256 + sign) * 256 + b) * 256 + result
    return spread(code).sum(-1).view(np.int64)


def spread(code: np.ndarray) -> np.ndarray:
    """Codes as numbers that look drawn at random (after Steele et al. 2014), always the same."""
    code = (code.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    code = (code ^ (code >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return code ^ (code >> np.uint64(32))


def who_chose(
    right: Right, answer: Int[np.ndarray, "problems samples"], luck: int,
    lots: Right | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Share of problems solved [counts] with one of so many samples chosen, by who chooses.

    `covered`: an exact verifier (unbiased: Chen et al. 2021); `voted`: the commonest answer;
    `erring`: the first that a verifier accepts which errs one time in ten; `heavy` and `light`: the
    best scored by the grade and an error, with Student's t of 2 degrees of freedom or normal. With
    `lots` these are what all verifiers look at in place of the grades. `luck` seeds all errors, and
    the choices that are put to the vote.
    """
    seen = right if lots is None else lots
    n = right.shape[1]
    count = right.sum(1)
    covered = [pass_at_k(count, n, k).mean() for k in COUNTS]
    if lots is not None:
        covered = _chosen(right, lots)
    votes, correct = _votes(right, answer)
    voted = [majority_at_k(votes, correct, k, draws=DRAWS, seed=luck).mean() for k in COUNTS]
    rng = np.random.default_rng(luck)
    erring = np.where(rng.random(right.shape) < ERRS, 1 - seen, seen)
    heavy = seen + NOISE * rng.standard_t(2, right.shape)
    light = seen + NOISE * rng.standard_normal(right.shape)
    return {
        "covered": covered, "voted": voted, "erring": _chosen(right, erring),
        "heavy": _chosen(right, heavy), "light": _chosen(right, light),
    }  # fmt: skip


def covered_and_forecast(some: Right, rest: Float[np.ndarray, "problems others"]) -> dict[str, Any]:
    """How far forecasts of coverage from `some` samples of each problem lie from the `rest`'s.

    `law_error` and `alike_error` [forecast]: by a Beta law of the problems' chances, and as if all
    had the same chance; `measured`, `law`, `alike`: coverage and what was forecast; `own`: the same
    as if each problem's chance were its own share of right ones; `power`: the
    law's a. Where all or no samples are right all forecasts say so.
    """
    n, right = some.shape[1], some.sum(1)
    measured = np.array([pass_at_k(rest.sum(1), rest.shape[1], k).mean() for k in FORECAST])
    mean = some.mean()
    alike = 1 - (1 - mean) ** np.array(FORECAST, float)
    own = 1 - ((1 - some.mean(1))[:, None] ** np.array(FORECAST, float)).mean(0)
    if 0 < mean < 1:
        fitted = fit_beta_law(right, n)
        law, power = 1 - beta_failure(fitted.a, fitted.b, np.array(FORECAST)), fitted.a
    else:
        law, power = alike, 0.0
    return {
        "measured": measured, "law": law, "alike": alike, "own": own, "power": power,
        "law_error": abs(law - measured), "alike_error": abs(alike - measured),
    }  # fmt: skip


def _votes(
    right: Right, answer: Int[np.ndarray, "problems samples"]
) -> tuple[np.ndarray, np.ndarray]:
    """How often each answer to each problem came, and whether it is right, in as many columns."""
    votes, correct = np.zeros(right.shape, int), np.zeros(right.shape, bool)
    for row, (grades, answers) in enumerate(zip(right, answer, strict=True)):
        _, first, count = np.unique(answers, return_index=True, return_counts=True)
        votes[row, : len(count)], correct[row, : len(count)] = count, grades[first] > 0
    return votes, correct


def _chosen(right: Right, score: Float[np.ndarray, "problems samples"]) -> list[float]:
    """How often the best scored of each so many in a row, the first among equals, is right."""
    found = []
    for k in COUNTS:
        parts = score.reshape(len(score), -1, k)
        best = parts.argmax(-1)[..., None]
        found.append(float(np.take_along_axis(right.reshape(parts.shape), best, -1).mean()))
    return found
