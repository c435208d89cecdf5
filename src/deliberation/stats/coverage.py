"""What repeated sampling gives: how often one of k answers is right, and how that goes on with k.

Chances of success differ between problems, and this is why failure falls as a power of k although
it falls exponentially on each (Schaeffer et al. 2025): with chances from Beta(a, b), failure after
k answers is B(a, b + k) / B(a, b), about k^-a.

Each function gives a number for each problem; `bootstrap` of these has the interval over problems.
"""

from typing import Any, NamedTuple

import numpy as np

from .intervals import SampleError


def pass_at_k(correct: Any, n: Any, k: Any) -> np.ndarray:
    """The chance that one of k answers is right, where `correct` of n are; unbiased for k <= n.

    1 - prod of (1 - k / i) over i from n - correct + 1 to n: the share of all choices of k among
    the n that hold a right one (Chen et al. 2021). `correct`, `n` and `k` broadcast. Raises
    `SampleError`.
    """
    c, n, k = _counts(correct, n, k)
    certain = n - c < k
    # The product is the same with c and k in each other's place: the fewer factors are multiplied.
    few, many = np.minimum(c, k), np.where(certain, 0, np.maximum(c, k))
    failing = np.zeros(c.shape)
    for j in range(int(few.max(initial=0))):
        failing += np.log1p(-np.where(j < few, many, 0) / np.maximum(n - j, 1))
    # Not -expm1, of which no success at all would be -0.
    return np.where(certain, 1.0, 0.0 - np.expm1(failing))


def majority_at_k(
    votes: Any, correct: Any, k: int, *, draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """The chance that the answer given most often among k of n is right, for each problem.

    `votes` [problems, answers] counts how often each answer came among n, `correct` [problems,
    answers] says which are right. Equal counts are decided by lot. Of all choices of k among the
    n, so many are drawn (at k = 1, n - 1 and n, which have few, none is: these are exact). Raises
    `SampleError`.
    """
    counts, said = _numbers(votes), _numbers(correct)
    if counts.ndim != 2 or counts.shape != said.shape:
        raise SampleError(
            f"Votes and what is correct are [problems, answers]; got shapes {counts.shape} and "
            f"{said.shape}."
        )
    n = counts.sum(1)
    if not (_whole(counts, 0).all() and (n < _MOST_VOTES).all() and np.isin(said, (0, 1)).all()):
        raise SampleError(
            f"Votes are whole numbers, fewer than {_MOST_VOTES:,} for a problem, and what is "
            "correct is 0 or 1."
        )
    some, rounds = (_numbers(x) for x in (k, draws))
    if some.ndim or not _whole(some, 1).all() or (some > n).any():
        raise SampleError(
            f"k={k} of {n.min(initial=np.inf):.0f} answers: choose a whole number of at least 1 "
            "and at most all."
        )
    if rounds.ndim or not _whole(rounds, 1).all():
        raise SampleError(f"draws={draws}: a whole number of at least 1.")
    rng = np.random.default_rng(seed)
    rows = zip(counts.astype(np.int64), said.astype(bool), strict=True)
    return np.array([_majority(*row, int(some), int(rounds), rng) for row in rows])


class BetaLaw(NamedTuple):
    """Chances of success over problems: Beta(a, b), by maximum likelihood.

    a is the power with which failure falls in the end. `loglikelihood` is of the counts (nats).
    Where counts are as likely under equal chances for all problems as under any others, a and b
    have no bound: they are `LARGEST` in sum.
    """

    a: float
    b: float
    loglikelihood: float

    def failure(self, k: Any) -> np.ndarray:
        """The chance that none of k answers is right."""
        return beta_failure(self.a, self.b, k)


LARGEST = 1e6
"""The largest sum of a and b: beyond it the chances are all equal, as far as counts can tell."""
_LEAST = 1e-4
_ALIKE = 1e-6
"""Nats in sum: laws that differ by less in likelihood are not told apart."""
_MOST_VOTES = 10**9
"""Of a problem: NumPy draws without replacement from fewer."""


def beta_failure(a: Any, b: Any, k: Any) -> np.ndarray:
    """B(a, b + k) / B(a, b): the chance that none of k answers is right under Beta(a, b)."""
    from scipy.special import betaln

    a, b, k = (_numbers(x) for x in (a, b, k))
    least = min(x.min(initial=1.0) for x in (a, b))
    if not all(np.isfinite(x).all() for x in (a, b, k)) or least <= 0 or (k < 0).any():
        raise SampleError("A Beta law has finite a and b above 0; k is finite and at least 0.")
    return np.asarray(np.exp(betaln(a, b + k) - betaln(a, b)))


def fit_beta_law(correct: Any, n: Any) -> BetaLaw:
    """a and b from how many of n answers were right on each problem (a beta-binomial).

    `correct` [problems], `n` a number or [problems]. Raises `SampleError` for counts that are none
    and where all or no answers are right, which any small b or a explains.
    """
    from scipy.optimize import minimize
    from scipy.special import gammaln

    c, n, _ = _counts(correct, n, 1)
    c, n = c.ravel(), n.ravel()
    if not len(c) or c.sum() in (0, n.sum()):
        raise SampleError(
            f"{int(c.sum())} of {int(n.sum())} answers are right: no Beta law fits best."
        )
    mean = c.sum() / n.sum()
    bounds = [(-25.0, 25.0), (np.log(_LEAST), np.log(LARGEST))]
    # The likelihood has more than one hill at times: from wide, even and narrow beginnings.
    begun = [np.array([np.log(mean / (1 - mean)), np.log(size)]) for size in (0.3, 2.0, 50.0)]
    results = [minimize(_surprise, x, (c, n), jac=True, bounds=bounds) for x in begun]
    best, nats = min(((r.x, float(r.fun)) for r in results), key=lambda found: found[1])
    # Towards equal chances the likelihood may be flat long before the bound is reached.
    even = np.array([np.log(mean / (1 - mean)), np.log(LARGEST)])
    alike = _surprise(even, c, n)[0]
    if len(c) * (alike - nats) <= _ALIKE:
        best, nats = even, alike
    ways = (gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)).sum()
    return BetaLaw(*_law(best), float(ways - len(c) * nats))


def _law(x: np.ndarray) -> tuple[float, float]:
    """a and b from the logit of their mean and the logarithm of their sum."""
    mean, size = 1 / (1 + np.exp(-x[0])), np.exp(x[1])
    return float(mean * size), float((1 - mean) * size)


def _surprise(x: np.ndarray, c: np.ndarray, n: np.ndarray) -> tuple[float, np.ndarray]:
    """Nats a problem without what a and b do not change, and the slope."""
    from scipy.special import betaln, digamma

    a, b = _law(x)
    found = (betaln(a + c, b + n - c) - betaln(a, b)).mean()
    shared = digamma(a + b) - digamma(a + b + n)
    by_a = (digamma(a + c) - digamma(a) + shared).mean()
    by_b = (digamma(b + n - c) - digamma(b) + shared).mean()
    by_mean = a * b / (a + b) * (by_a - by_b)
    return -float(found), -np.array([by_mean, a * by_a + b * by_b])


def _majority(
    votes: np.ndarray, right: np.ndarray, k: int, draws: int, rng: np.random.Generator
) -> float:
    n = votes.sum()
    if k == 1:
        return float(votes @ right / n)
    if k >= n - 1:
        left = votes - np.eye(len(votes), dtype=int) if k < n else votes[None]
        odds = votes / n if k < n else np.ones(1)
    else:
        left = rng.multivariate_hypergeometric(votes, k, size=draws)
        odds = np.full(draws, 1 / draws)
    most = left == left.max(1, keepdims=True)
    return float(odds @ ((most & right).sum(1) / most.sum(1)))


def _counts(correct: Any, n: Any, k: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checked and broadcast, as floats."""
    c, n, k = np.broadcast_arrays(*(_numbers(x) for x in (correct, n, k)))
    if not (_whole(c, 0) & _whole(n, 0) & (c <= n)).all():
        raise SampleError(
            "Answers are counted in whole numbers, and those that are right from 0 to all of them."
        )
    wrong = ~_whole(k, 1) | (k > n)
    if wrong.any():
        raise SampleError(
            f"k={k[wrong][0]:g} of {n[wrong][0]:.0f} answers: choose a whole number of at least 1 "
            "and at most all, or sample more."
        )
    return c, n, k


def _numbers(given: Any) -> np.ndarray:
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError) as error:
        raise SampleError(f"{given!r} are no numbers.") from error


def _whole(x: np.ndarray, least: int) -> np.ndarray:
    return np.asarray(np.isfinite(x) & (x == np.floor(x)) & (x >= least))
