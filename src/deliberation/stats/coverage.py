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
    return np.where(certain, 1.0, -np.expm1(failing))


def majority_at_k(
    votes: Any, correct: Any, k: int, *, draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """The chance that the answer given most often among k of n is right, for each problem.

    `votes` [problems, answers] counts how often each answer came among n, `correct` [problems,
    answers] says which are right. Equal counts are decided by lot. Of all choices of k among the
    n, so many are drawn (at k = 1, n - 1 and n, which have few, none is: these are exact). Raises
    `SampleError`.
    """
    votes, right = np.asarray(votes), np.asarray(correct, bool)
    if votes.ndim != 2 or votes.shape != right.shape or (votes < 0).any():
        raise SampleError(
            f"Votes and what is correct are [problems, answers], counts of at least 0; got shapes "
            f"{votes.shape} and {right.shape}."
        )
    n = votes.sum(1)
    if not 1 <= k <= n.min(initial=k):
        raise SampleError(f"k={k} of {n.min()} answers: choose at least 1 and at most all.")
    rng = np.random.default_rng(seed)
    return np.array([_majority(*row, k, draws, rng) for row in zip(votes, right, strict=True)])


class BetaLaw(NamedTuple):
    """Chances of success over problems: Beta(a, b), by maximum likelihood.

    a is the power with which failure falls in the end. `loglikelihood` is of the counts (nats).
    Where all problems are as likely to succeed, a and b have no bound: they are `LARGEST` in sum.
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


def beta_failure(a: Any, b: Any, k: Any) -> np.ndarray:
    """B(a, b + k) / B(a, b): the chance that none of k answers is right under Beta(a, b)."""
    from scipy.special import betaln

    a, b, k = (np.asarray(x, float) for x in (a, b, k))
    if not ((a > 0).all() and (b > 0).all() and (k >= 0).all()):
        raise SampleError("A Beta law has a and b above 0, and k answers are at least 0.")
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
    best = min(results, key=lambda result: result.fun)
    ways = (gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)).sum()
    return BetaLaw(*_law(best.x), float(ways - len(c) * best.fun))


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
    c, n, k = (np.asarray(x, float) for x in np.broadcast_arrays(correct, n, k))
    if not ((c == np.floor(c)).all() and (c >= 0).all() and (c <= n).all()):
        raise SampleError("Right answers are whole numbers from 0 to the number of answers.")
    if not ((k == np.floor(k)).all() and (k >= 1).all() and (k <= n).all()):
        raise SampleError(
            f"k={k.max(initial=0):.0f} of {n.min(initial=0):.0f} answers: choose at least 1 and at "
            "most all, or sample more."
        )
    return c, n, k
