"""pass@k: how often one of k tries succeeds, from n tries; and its law where chances are a Beta's.

The tries are those of best of k with a judge that is right: a task whose answers are marked.
"""

import jax
import numpy as np
from jaxtyping import Array, Key
from scipy.special import betaln, comb

from deliberation.direct.control.best_of_n import chances
from deliberation.stats import Estimate

from . import Row

REPRODUCTION = {
    "name": "coverage",
    "title": "Coverage of repeated tries",
    "source": "Brown et al. 2024; Chen et al. 2021",
    "published": "pass@k = 1 - prod over i = n - c + 1 to n of (1 - k/i) is unbiased; with "
    "success chances from Beta(a, b), failure after k tries is B(a, b + k)/B(a, b), about k^-a.",
    "tolerance": "1e-9 for what is exact, .01 for means over problems, .03 for the exponent.",
    "by_construction": {
        "pass@* less the share of subsets, greatest": "two ways to write one number",
        "pass@* over problems": "the estimator is unbiased: the law, by sampled problems",
        "best of * by a judge that knows, less *": "two ways to write one number",
        "exponent of failure, *": "of the same law, which nears it as k grows",
    },
}
PROBLEMS, TRIES = {"smoke": 20_000, "quick": 100_000, "full": 400_000}, 128
A, B = 0.4, 1.6
AT = (1, 4, 16, 64)


def pass_at(n: int, right: np.ndarray, k: int) -> np.ndarray:
    """Of problems with so many right among n tries, the chance that k of the tries hold one."""
    i = np.arange(1, n + 1)
    failing = np.where(i > n - right[:, None], 1 - k / i, 1.0)
    return 1 - np.maximum(failing, 0.0).prod(1)


def mean_of(x: np.ndarray) -> Estimate:
    """Of so many problems that the mean is as good as normal."""
    mean, apart = float(x.mean()), 1.96 * float(x.std(ddof=1)) / len(x) ** 0.5
    return Estimate(mean, mean - apart, mean + apart, len(x))


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """The estimator against all subsets' share, the law, and best of k under a judge that knows."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    p = rng.beta(A, B, PROBLEMS[effort])
    right = rng.binomial(TRIES, p)
    rows = []
    every = np.arange(TRIES + 1)
    for k in AT:
        exact = 1 - comb(TRIES - every, k) / comb(TRIES, k)
        apart = float(np.abs(pass_at(TRIES, every, k) - exact).max())
        rows.append(
            Row(f"pass@{k} less the share of subsets, greatest", 0.0,
                Estimate(apart, apart, apart, 0), -1e-9, 1e-9)
        )  # fmt: skip
        law = 1 - float(np.exp(betaln(A, B + k) - betaln(A, B)))
        found = mean_of(pass_at(TRIES, right, k))
        rows.append(Row(f"pass@{k} over problems", law, found, law - 0.01, law + 0.01))
        some = p[:2000]
        judged = chances(
            np.stack([1 - some, some], 1), np.tile([0.0, 1.0], (len(some), 1)), k
        )[:, 1]  # fmt: skip
        apart = float(np.abs(judged - (1 - (1 - some) ** k)).max())
        rows.append(
            Row(f"best of {k} by a judge that knows, less 1 - (1 - p)^{k}", 0.0,
                Estimate(apart, apart, apart, 0), -1e-9, 1e-9)
        )  # fmt: skip
    low, high = 16, 64
    ratio = [float((1 - pass_at(TRIES, right, k)).mean()) for k in (low, high)]
    slope = -np.log(ratio[1] / ratio[0]) / np.log(high / low)
    exponent = Estimate(float(slope), float(slope), float(slope), len(p))
    return [*rows, Row("exponent of failure, k from 16 to 64", A, exponent, A - 0.03, A + 0.03)]
