"""Repeated sampling: exact shares over all choices, and a law whose parameters are known."""

import itertools

import numpy as np
import pytest

from deliberation.stats import (
    SampleError,
    beta_failure,
    bootstrap,
    fit_beta_law,
    majority_at_k,
    pass_at_k,
)
from deliberation.stats.coverage import LARGEST


def test_pass_at_k_is_the_share_of_all_choices():
    for n, k in itertools.product(range(1, 8), range(1, 8)):
        if k > n:
            continue
        for correct in range(n + 1):
            answers = [1] * correct + [0] * (n - correct)
            share = np.mean([any(some) for some in itertools.combinations(answers, k)])
            assert pass_at_k(correct, n, k) == pytest.approx(share, abs=1e-12)


def test_pass_at_k_is_the_product_of_the_source_and_keeps_small_numbers():
    correct = np.array([0, 1, 5, 100, 1000])
    wanted = [1 - np.prod(1 - 100 / np.arange(1000 - c + 1, 1001)) for c in correct]
    np.testing.assert_allclose(pass_at_k(correct, 1000, 100), wanted, rtol=1e-9)
    assert pass_at_k(1, 10**6, 1) == pytest.approx(1e-6, rel=1e-9)
    assert pass_at_k(correct[:, None], 1000, [1, 10]).shape == (5, 2)


def test_pass_at_k_is_unbiased_where_one_minus_a_power_is_not():
    rng = np.random.default_rng(0)
    counts = rng.binomial(10, 0.2, size=40_000)
    truth = 1 - 0.8**5
    assert pass_at_k(counts, 10, 5).mean() == pytest.approx(truth, abs=0.005)
    assert abs((1 - (1 - counts / 10) ** 5).mean() - truth) > 0.03
    found = bootstrap(pass_at_k(counts[:400], 10, 5))
    assert found.low < truth < found.high and found.high - found.low < 0.1


def brute_majority(votes, right, k):
    answers = np.repeat(np.arange(len(votes)), votes)
    total = []
    for some in itertools.combinations(answers, k):
        count = np.bincount(some, minlength=len(votes))
        most = np.flatnonzero(count == count.max())
        total.append(np.isin(most, np.flatnonzero(right)).mean())
    return np.mean(total)


def test_majority_at_k_is_the_share_of_all_choices():
    votes = np.array([[4, 3, 1, 0], [2, 2, 2, 2], [1, 5, 1, 1]])
    right = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]], bool)
    for k in range(1, 9):
        wanted = [brute_majority(v, r, k) for v, r in zip(votes, right, strict=True)]
        exact = k in (1, 7, 8)
        found = majority_at_k(votes, right, k, draws=20_000)
        np.testing.assert_allclose(found, wanted, atol=1e-12 if exact else 0.015)


def test_failure_under_a_beta_law_is_its_mean_and_a_power_in_the_end():
    from scipy.stats import beta

    for a, b, k in ((0.5, 2.0, 7), (2.0, 3.0, 4), (0.3, 0.3, 30)):
        wanted = beta(a, b).expect(lambda p, k=k: (1 - p) ** k)
        assert beta_failure(a, b, k) == pytest.approx(wanted, rel=1e-5)
    assert beta_failure(1.0, 1.0, 9) == pytest.approx(1 / 10)
    first, second = beta_failure(0.4, 3.0, [1e5, 1e6])
    assert np.log10(first / second) == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize(("a", "b"), [(0.4, 2.0), (2.0, 5.0), (1.0, 1.0)])
def test_the_law_is_found_from_counts_and_says_what_more_answers_give(a, b):
    rng = np.random.default_rng(1)
    counts = rng.binomial(32, rng.beta(a, b, size=4000))
    law = fit_beta_law(counts, 32)
    assert law.a == pytest.approx(a, rel=0.1) and law.b == pytest.approx(b, rel=0.1)
    assert law.failure(1000) == pytest.approx(float(beta_failure(a, b, 1000)), rel=0.35)
    np.testing.assert_allclose(
        1 - law.failure([1, 4, 16]), pass_at_k(counts[:, None], 32, [1, 4, 16]).mean(0), atol=0.01
    )


def test_the_fit_is_the_best_of_a_grid():
    from scipy.stats import betabinom

    counts, n = np.array([0, 0, 1, 3, 8, 2, 0, 5]), np.array([8, 8, 8, 8, 8, 16, 16, 16])
    law = fit_beta_law(counts, n)
    own = betabinom.logpmf(counts, n, law.a, law.b).sum()
    assert law.loglikelihood == pytest.approx(own, abs=1e-6)
    for a, b in itertools.product(np.geomspace(0.05, 20, 40), repeat=2):
        assert betabinom.logpmf(counts, n, a, b).sum() <= own + 1e-6


@pytest.mark.parametrize(("counts", "n"), [([2, 2, 2, 2], 4), ([0, 1], 1), ([3], 9), ([1, 2], 4)])
def test_equal_chances_are_a_law_without_width(counts, n):
    law = fit_beta_law(counts, n)
    assert law.a / (law.a + law.b) == pytest.approx(np.mean(counts) / n, abs=1e-9)
    assert law.a + law.b == pytest.approx(LARGEST)


def test_nearly_equal_chances_are_nearly_such_a_law():
    counts = np.random.default_rng(2).binomial(64, 0.3, size=2000)
    law = fit_beta_law(counts, 64)
    assert law.a / (law.a + law.b) == pytest.approx(0.3, abs=0.01) and law.a + law.b > 300


def test_what_is_no_count_is_refused():
    for wrong in (
        (3, 2, 1), (-1, 2, 1), (0.5, 2, 1), (1, 2, 3), (1, 2, 0), (1, 2.5, 2), (1, np.inf, 1),
        (np.nan, 2, 1), (1, np.nan, 1), (1, 4, np.nan), (1, 4, 1.5), ("a", 4, 1), (None, 4, 1),
    ):  # fmt: skip
        with pytest.raises(SampleError):
            pass_at_k(*wrong)
    with pytest.raises(SampleError, match="k=0 of 4"):
        pass_at_k(1, 4, 0)
    with pytest.raises(SampleError, match="k=5 of 4"):
        pass_at_k(1, [9, 4], 5)
    assert not np.signbit(pass_at_k(0, 4, [2, 4])).any()
    for counts in ([0, 0], [4, 4], []):
        with pytest.raises(SampleError, match="no Beta law"):
            fit_beta_law(counts, 4)
    for law in ((0, 1, 1), (np.inf, 1, 1), (1, np.inf, 1), (np.nan, 1, 1), (1, 1, np.nan)):
        with pytest.raises(SampleError):
            beta_failure(*law)
    for votes, k in (([[1, 2]], 4), ([[1, 2]], 0), ([[-1, 2]], 1), ([1, 2], 1)):
        with pytest.raises(SampleError):
            majority_at_k(np.array(votes), np.ones_like(votes, bool), k)
    for votes, correct, how in (
        ([[3.5, 1]], [[1, 0]], {"k": 2}),
        ([[np.nan, 1]], [[1, 0]], {"k": 1}),
        ([[2**40, 1]], [[1, 0]], {"k": 5}),
        ([[3, 1]], [[np.nan, 0]], {"k": 2}),
        ([[3, 1]], [[2, 0]], {"k": 2}),
        ([[5, 5]], [[1, 0]], {"k": 4, "draws": 0}),
        (np.zeros((0, 2)), np.zeros((0, 2)), {"k": 0}),
    ):
        with pytest.raises(SampleError):
            majority_at_k(votes, correct, **how)
    same = [majority_at_k(np.array([[6, 2]], kind), [[1, 0]], 3) for kind in (int, float)]
    assert same[0] == same[1]
