"""Statistics against planted answers: exact values, and coverage of intervals by simulation."""

import math

import numpy as np
import pytest
import scipy.stats

from deliberation.stats import (
    Claimed,
    Estimate,
    SampleError,
    bootstrap,
    bounded,
    break_even,
    combine,
    exact_proportion,
    exchange_rate,
    holm,
    judge,
    judge_family,
    needed_cost,
    nothing,
    p_value,
    paired_bootstrap,
    position,
    proportion,
    rate,
    search_equivalent,
    shapley,
    slope,
)


def near(estimate: Estimate, low: float, high: float, tolerance: float = 5e-4) -> bool:
    return abs(estimate.low - low) < tolerance and abs(estimate.high - high) < tolerance


# Intervals


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (7, 23), (499, 500)])
def test_wilson_agrees_with_scipy(successes, n):
    known = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert near(proportion(successes, n), known.low, known.high, 1e-9)


def test_wilson_known_numbers():
    assert near(proportion(10, 10), 0.7225, 1.0)  # 1 / (1 + 1.96^2 / 10)
    assert near(proportion(81, 263), 0.2553, 0.3662)  # Newcombe 1998, table I, method 3
    assert math.isnan(proportion(0, 0).estimate)
    with pytest.raises(SampleError, match="11 successes in 10"):
        proportion(11, 10)


def test_a_share_is_shown_from_0_to_1_and_judged_by_its_whole_interval():
    """Cutting the interval itself would make the p-value of a null effect too small."""
    values = np.array([0.0] * 9 + [0.02, 0.05])
    share, plain = bootstrap(values, bounds=(0, 1)), bootstrap(values)
    assert (share.low, share.high, share.freedom) == (plain.low, plain.high, plain.freedom)
    assert share.low < 0 == share.shown.low and share.shown.high == share.high
    assert "[0, " in repr(share) and "[-" in repr(plain)
    claimed = [Claimed(above=-0.01), Claimed(below=0.01), Claimed(within=(-0.02, 0.02))]
    assert [p_value(share, c) for c in claimed] == [p_value(plain, c) for c in claimed]
    pairs = [[(x, c) for c in claimed] for x in (share, plain)]
    assert judge_family(pairs[0]) == judge_family(pairs[1])
    # What was shown, judged instead, would be surer than what was measured.
    assert p_value(share.shown, claimed[0]) < p_value(share, claimed[0])


def test_bounds_belong_to_what_lies_within_them():
    assert bounded(Estimate(0.4, -0.1, 1.2, 9), 0, 1).shown == Estimate(
        0.4, 0.0, 1.0, 9, bounds=(0.0, 1.0)
    )
    beyond = bounded(Estimate(1.1, 0.9, 1.3, 9), 0, 1)
    assert beyond.shown == beyond, "an estimate beyond its bounds is shown as it is"
    assert math.isnan(bounded(nothing(), 0, 1).shown.low)
    assert bootstrap([0.2, 0.3, 0.4], np.median, bounds=(0, 1)).bounds is None
    assert Estimate(0.4, -0.1, 1.2, 9).shown.low == -0.1


def test_estimates_read_well_and_no_data_is_not_zero():
    assert repr(Estimate(0.83, 0.8, 0.86, 500)) == "0.83 [0.8, 0.86] n=500"
    assert math.isnan(bootstrap([]).estimate) and bootstrap([]).n == 0
    assert "no data" in repr(rate([]))


def test_certain_outcomes_keep_an_interval():
    assert near(rate(np.ones(50)), proportion(50, 50).low, 1.0)
    assert bootstrap(np.zeros(50)) == rate(np.zeros(50))
    # Seeds that agree on every item add no items.
    assert rate(np.ones((4, 50))).low == proportion(50, 50).low
    scores = bootstrap(np.full(50, 0.5), bounds=(0.0, 1.0))
    unseen = proportion(0, 50).high
    assert near(scores, 0.5 - unseen / 2, 0.5 + unseen / 2, 1e-9)
    assert math.isnan(bootstrap(np.full(50, 0.5)).low)
    assert judge(bootstrap(np.full(50, 0.5)), above=0.0) == "inconclusive"


def test_values_that_are_equal_but_for_rounding_are_no_surer_than_equal_ones():
    bounds, noise = (-1.0, 1.0), np.array([1e-8, -1e-8, 0.0, 0.0, 3e-8])
    equal, rounded = bootstrap(np.zeros(5), bounds=bounds), bootstrap(noise, bounds=bounds)
    assert rounded.low == pytest.approx(equal.low, abs=1e-6)
    assert rounded.high == pytest.approx(equal.high, abs=1e-6)
    assert judge(rounded, above=0.1) == "inconclusive"
    assert np.isnan(bootstrap([0.3, 0.3]).low) and bootstrap([0.1 + 0.2, 0.3]).low > 0.29
    assert bootstrap(np.array([0.1, 0.1001, 0.1002])).low > 0.09
    apart = bootstrap(np.array([0.0, 1.0, 3.0, 2.0]), bounds=(-np.inf, np.inf))
    assert np.isfinite([apart.low, apart.high]).all(), "without ends nothing is small beside them"


def test_bootstrap_of_a_mean_matches_the_t_interval():
    x = np.random.default_rng(0).normal(3.0, 2.0, 200)
    known = scipy.stats.t.interval(0.95, 199, x.mean(), scipy.stats.sem(x))
    found = bootstrap(x, draws=8000)
    assert found.estimate == pytest.approx(x.mean()) and found.n == 200
    assert near(found, *known, tolerance=0.03)
    assert found == bootstrap(x, draws=8000), "the same seed gives the same interval"
    assert found != bootstrap(x, draws=8000, seed=1)


def test_bootstrap_of_a_median_matches_scipy():
    x = np.random.default_rng(1).exponential(size=300)
    known = scipy.stats.bootstrap((x,), np.median, method="percentile", rng=0).confidence_interval
    found = bootstrap(x, np.median)
    assert found.estimate == np.median(x)
    assert near(found, known.low, known.high, tolerance=0.03)


def coverage(sample, truth, trials, seed, statistic=bootstrap) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(trials):
        found = statistic(sample(rng))
        hits += found.low <= truth <= found.high
    return hits / trials


@pytest.mark.parametrize(("by_seed", "by_item"), [(0.0, 0.0), (1.0, 0.0), (0.0, 4.0), (0.7, 0.7)])
def test_intervals_cover_with_few_seeds_and_shared_items(by_seed, by_item):
    def sample(rng):
        noise = rng.normal(0, 2.0, (4, 40))
        return noise + rng.normal(0, by_seed, (4, 1)) + rng.normal(0, by_item, (1, 40))

    def short(x):
        return bootstrap(x, draws=200)

    # Binomial error of 200 trials at .95 is .015; three of them. Noise alone is over-covered.
    assert 0.905 <= coverage(sample, 0.0, 200, 7, short) <= 0.995


def test_rates_cover_with_few_seeds():
    def sample(rng):
        chance = np.clip(0.7 + rng.normal(0, 0.1, (4, 1)) + rng.normal(0, 0.15, (1, 60)), 0, 1)
        return (rng.random((4, 60)) < chance).astype(float)

    truth = float(np.mean([sample(np.random.default_rng(i)).mean() for i in range(2000)]))
    assert 0.90 <= coverage(sample, truth, 400, 3, rate) <= 0.99


def test_one_item_and_small_samples_are_wide():
    assert math.isnan(bootstrap([0.3]).low)
    x = np.array([0.1, 0.5, 0.9])
    known = scipy.stats.t.interval(0.95, 2, x.mean(), scipy.stats.sem(x))
    found = bootstrap(x)
    assert found.high - found.low > 0.8 * (known[1] - known[0])


def test_pairing_removes_what_items_share():
    rng = np.random.default_rng(5)
    items = rng.normal(0, 10, 100)
    a, b = items + rng.normal(0, 0.1, 100), items + 1.0

    def gain(x, y, axis):
        return np.mean(y, axis=axis) - np.mean(x, axis=axis)

    found = paired_bootstrap(gain, a, b)
    assert found.low < 1.0 < found.high
    assert found.high - found.low < 0.06
    with pytest.raises(SampleError, match=r"\(100,\), \(99,\)"):
        paired_bootstrap(gain, a, b[:99])


def test_missing_scores_are_refused():
    with pytest.raises(SampleError, match="1 of 3 values"):
        bootstrap([0.1, float("nan"), 0.3])
    with pytest.raises(SampleError, match="0 or 1"):
        rate([0.5, 1.0])


# Verdicts


@pytest.mark.parametrize(
    ("low", "high", "claim", "verdict"),
    [
        (0.1, 0.3, {"above": 0.0}, "supported"),
        (-0.1, 0.3, {"above": 0.0}, "inconclusive"),
        (-0.3, -0.1, {"above": 0.0}, "refuted"),
        (0.0, 0.0, {"above": 0.0}, "refuted"),
        (0.0, 0.2, {"above": 0.0}, "inconclusive"),
        (-0.3, -0.1, {"below": 0.0}, "supported"),
        (-0.3, 0.1, {"below": 0.0}, "inconclusive"),
        (0.0, 0.1, {"below": 0.0}, "refuted"),
        (-0.1, 0.1, {"within": (-0.1, 0.1)}, "supported"),
        (-0.2, 0.1, {"within": (-0.1, 0.1)}, "inconclusive"),
        (0.2, 0.3, {"within": (-0.1, 0.1)}, "refuted"),
        (-0.3, -0.2, {"within": (-0.1, 0.1)}, "refuted"),
        (math.nan, math.nan, {"above": 0.0}, "inconclusive"),
        (5.0, math.inf, {"above": 0.0}, "supported"),
    ],
)
def test_verdicts(low, high, claim, verdict):
    assert judge(Estimate((low + high) / 2, low, high, 9), **claim) == verdict


def test_verdicts_combine_and_refuse_two_claims():
    assert combine(["supported", "supported"]) == "supported"
    assert combine(["supported", "inconclusive"]) == "inconclusive"
    assert combine(["inconclusive", "refuted"]) == "refuted"
    assert combine([]) == "inconclusive"
    assert judge(nothing(), within=(-1, 1)) == "inconclusive"
    with pytest.raises(SampleError, match="exactly one"):
        judge(nothing(), above=0.0, below=1.0)


# Positions


def test_shapley_values_are_exact():
    assert shapley(0.0, 1.0, 0.0, 1.0) == (1.0, 0.0)
    assert shapley(0.2, 0.3, 0.6, 1.0) == (pytest.approx(0.25), pytest.approx(0.55))


def test_poles_land_at_the_poles():
    rng = np.random.default_rng(2)
    random, strong = rng.normal(0, 1, (2, 300))
    strong = strong + 2.0
    planner = position(random, strong, random, strong)
    network = position(random, random, strong, strong)
    gain = pytest.approx((strong - random).mean())
    assert (planner.search.estimate, planner.learning.estimate) == (gain, 0.0)
    assert (network.search.estimate, network.learning.estimate) == (0.0, gain)
    assert planner.total.estimate == gain and planner.interaction.estimate == pytest.approx(0.0)


def test_additive_hybrids_land_where_they_were_planted():
    rng = np.random.default_rng(3)
    base = rng.normal(0, 1, (3, 400))

    def noisy(gain):
        return base + gain + rng.normal(0, 0.2, base.shape)

    found = position(base, noisy(0.6), noisy(0.2), noisy(0.8))
    assert found.search.low < 0.6 < found.search.high
    assert found.learning.low < 0.2 < found.learning.high
    assert found.search.high - found.search.low < 0.1
    assert found.interaction.low < 0.0 < found.interaction.high
    both = found.search.estimate + found.learning.estimate
    assert both == pytest.approx(found.total.estimate)


def test_a_planner_without_seeds_pairs_with_trained_networks():
    rng = np.random.default_rng(4)
    random, search = rng.normal(0, 1, 200), rng.normal(1, 1, 200)
    learned, both = rng.normal(1, 1, (3, 200)), rng.normal(2, 1, (3, 200))
    found = position(random, search, learned, both)
    assert found.total.n == 600
    assert found.search.low < 1.0 < found.search.high


def test_random_stands_at_nothing_and_redundant_parts_at_halves():
    """The two coordinates vary independently: they are not parts of one sum."""
    x = np.random.default_rng(7).normal(size=(4, 100))
    found = position(*x)
    for at in (found.search, found.learning, found.total, found.interaction):
        assert at.low < 0 < at.high
    zero, one = np.zeros(50), np.ones(50)
    redundant = position(zero, one, one, one)
    assert (redundant.search.estimate, redundant.learning.estimate) == (0.5, 0.5)
    assert redundant.interaction.estimate == -1.0


# Families of verdicts


def test_holm_is_the_textbook_procedure():
    # Holm 1979: sorted .005, .01, .03, .04 against .05/4, .05/3, .05/2, .05/1.
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.04]) == [True] and holm([]) == []
    # After the first that fails nothing holds, however small against its own bound.
    assert holm([0.02, 0.026, 0.049]) == [False, False, False]


def test_p_is_small_exactly_where_the_interval_clears_the_bound():
    claimed = Claimed(above=0.1)
    for low, beyond in ((0.1 + 1e-9, True), (0.1 - 1e-9, False)):
        p = p_value(Estimate(0.2, low, 0.3, 50, 49.0), claimed)
        assert (p < 0.05) == beyond
    # Student's t with 4 degrees of freedom: the interval's half width is 2.776 standard errors.
    at = Estimate(0.5, 0.5 - 2.7764451, 0.5 + 2.7764451, 5, 4.0)
    assert p_value(at, Claimed(below=0.5 + 4.604095)) == pytest.approx(0.01, abs=1e-6)
    assert p_value(Estimate(0.0, 0.0, 0.0, 9), Claimed(within=(-1, 1))) == 0.0
    assert p_value(nothing(), claimed) == 1.0
    assert p_value(Estimate(math.inf, 5.0, math.inf, 9), claimed) == 0.05


@pytest.mark.parametrize("bound", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("n", [10, 20, 40, 100])
def test_far_beyond_its_interval_a_rate_is_as_sure_as_counts_are(n, bound):
    """At the first step of Holm's procedure for 105 verdicts, against the exact tail."""
    level = 0.05 / 105
    counts = [
        k
        for k in range(n + 1)
        if k > bound * n and p_value(proportion(k, n), Claimed(above=bound)) <= level
    ]
    wrong = scipy.stats.binom.sf(min(counts, default=n + 1) - 1, n, bound)
    assert wrong <= 1.35 * level / 2
    same = [rate(np.arange(n) < k) == proportion(k, n) for k in (0, n // 2, n)]
    assert all(same)


def test_what_never_varied_is_no_surer_than_so_many_counts():
    """All of 8 are 0.2: that the mean is below 0.6 takes half of the weight not to be at 1."""
    found = bootstrap(np.full(8, 0.2), bounds=(0.0, 1.0))
    exact = 2 * 0.5**8
    assert exact <= p_value(found, Claimed(below=0.6)) <= 1.3 * exact


def test_equivalence_has_to_rule_out_both_ends():
    claimed = Claimed(within=(-0.1, 0.1))
    inside, wide = Estimate(0.0, -0.05, 0.05, 99), Estimate(0.0, -0.2, 0.05, 99)
    assert claimed.judge(inside) == "supported" and p_value(inside, claimed) < 0.05
    assert claimed.judge(wide) == "inconclusive" and p_value(wide, claimed) > 0.05
    beyond = Estimate(0.3, 0.2, 0.4, 99)
    assert claimed.judge(beyond) == "refuted" and p_value(beyond, claimed) < 0.05


def test_a_family_keeps_its_error_rate_where_single_verdicts_do_not():
    """Sixty null effects measured at once: at most one family in twenty has any verdict."""
    rng = np.random.default_rng(6)
    claimed, alone, family = Claimed(above=0.0), 0, 0
    for _ in range(200):
        means = rng.normal(0, 1, 60)
        found = [(Estimate(m, m - 1.959964, m + 1.959964, 100), claimed) for m in means.tolist()]
        alone += any(claimed.judge(estimate) != "inconclusive" for estimate, _ in found)
        family += any(verdict != "inconclusive" for verdict in judge_family(found))
    assert alone > 180 and family <= 18


def test_an_estimate_that_is_only_a_bound_is_never_certain():
    """Costs beyond the budgets tried: 3.8 or more is no exact 3.8."""
    bound = Estimate(3.8, 3.8, math.inf, 100)
    assert p_value(bound, Claimed(above=2.0)) == 0.05
    assert p_value(bound, Claimed(above=4.0)) == 1.0


def test_ratios_are_judged_in_logarithms():
    # 8 [2, 32]: two doublings either way, of which 1 lies three below.
    at = Estimate(8.0, 2.0, 32.0, 100)
    z = 3 / 2 * 1.959964
    assert p_value(at, Claimed(above=1.0, log=True)) == pytest.approx(math.erfc(z / 2**0.5), 1e-4)


def test_differences_that_are_nought_or_one_are_no_rates():
    found = bootstrap(np.zeros((3, 20)), bounds=(-10, 10))
    unseen = 1.959964**2 / (20 + 1.959964**2)
    assert (found.low, found.high) == (pytest.approx(-10 * unseen), pytest.approx(10 * unseen))


def test_exact_proportions_are_clopper_and_pearsons():
    assert exact_proportion(6, 6).low == pytest.approx(0.025 ** (1 / 6))
    found = exact_proportion(3, 10)
    assert (found.low, found.high) == (
        pytest.approx(0.06674, abs=1e-5),
        pytest.approx(0.65245, abs=1e-5),
    )


def test_exactly_one_thing_is_claimed():
    with pytest.raises(SampleError, match="Exactly one"):
        Claimed(above=0.0, below=1.0)


# Curves


def test_slope_of_a_line_is_exact_and_noise_is_covered():
    rng = np.random.default_rng(6)
    x, items = np.arange(5.0), rng.normal(size=200)
    line = 0.3 * x[:, None] + items
    assert slope(x, line).estimate == pytest.approx(0.3)
    found = slope(x, line + rng.normal(0, 0.5, line.shape))
    assert found.low < 0.3 < found.high and found.high - found.low < 0.06
    table = rng.normal(size=(3, 5, 50))
    known = np.polyfit(x, table.mean((0, 2)), 1)[0]
    assert slope(x, table).estimate == pytest.approx(known)


def test_a_flat_curve_has_slope_zero_within_what_could_be_unseen():
    flat = np.tile(np.array([0.0, 1.0] * 100), (5, 1))
    found = slope(np.arange(5.0), flat)
    unseen = proportion(0, 200).high
    assert found.estimate == pytest.approx(0.0)
    # Items 0 0 1 1 1 are about the steepest: |weights| / 2 = 0.3 a unit.
    assert near(found, -0.3 * unseen, 0.3 * unseen, 1e-9)
    assert judge(found, within=(-0.01, 0.01)) == "supported"
    with pytest.raises(SampleError, match="two different x"):
        slope([1.0, 1.0], flat[:2])


def planted(budgets, n, rng):
    chance = 1 / (1 + np.exp(-(np.log2(budgets) - 5.0)))
    return (rng.random((len(budgets), n)) < chance[:, None]).astype(float)


def test_search_equivalent_of_a_planted_logistic():
    rng, budgets = np.random.default_rng(8), 2.0 ** np.arange(1, 11)
    search = planted(budgets, 2000, rng)
    network = (rng.random(2000) < 1 / (1 + np.exp(-1.5))).astype(float)  # worth log2 N = 6.5
    found = search_equivalent(budgets, search, network)
    assert found.low < 2**6.5 < found.high
    assert math.log2(found.high / found.low) < 0.8
    exact = np.tile(np.array([[0.0], [0.5], [1.0]]), (1, 4))
    assert search_equivalent([4, 16, 64], exact, np.full(4, 0.75)).estimate == 32.0
    # A dip is noise: more search is never worse.
    dip = np.tile(np.array([[0.0], [0.6], [0.4], [1.0]]), (1, 4))
    assert search_equivalent([1, 4, 16, 64], dip, np.full(4, 0.5)).estimate == 4.0


def test_the_cost_of_a_goal_is_read_between_mean_costs():
    """Costs vary with the items: the mean cost counts, in logarithms between two points."""
    rng = np.random.default_rng(4)
    scores = (rng.permutation(400) / 400 < [[0.2], [0.6], [1.0]]).astype(float)
    costs = np.array([[10.0], [40.0], [160.0]]) * rng.uniform(0.5, 1.5, (3, 400))
    found = needed_cost(costs, scores, 0.8)
    assert found.estimate == pytest.approx(80.0, rel=0.05) and found.low < 80 < found.high
    assert found.high / found.low < 1.5 and found.n == 400
    seeds = needed_cost(np.stack([costs[:, :40]] * 2), np.stack([scores[:, :40]] * 2), 0.8)
    assert 20 < seeds.estimate < 320 and seeds.n == 80
    assert needed_cost(costs, scores, 0.1).estimate == 0.0
    assert needed_cost(costs[:2], scores[:2], 0.8).estimate == math.inf
    with pytest.raises(SampleError, match="shape of the scores"):
        needed_cost(costs[:2], scores, 0.8)


def test_search_equivalent_is_censored_at_both_ends():
    rng, budgets = np.random.default_rng(9), 2.0 ** np.arange(4, 8)
    search = planted(budgets, 400, rng)
    above = search_equivalent(budgets, search, np.ones(400))
    assert above.estimate == math.inf and above.low == math.inf
    below = search_equivalent(budgets, search, np.zeros(400))
    assert below.estimate == 0.0 and below.high == 0.0
    edge = search_equivalent(budgets, search, (rng.random(400) < search[-1].mean()).astype(float))
    assert edge.high == math.inf and 16 < edge.low < math.inf
    with pytest.raises(SampleError, match="increasing"):
        search_equivalent([0, 1, 2, 4], search, np.ones(400))


def test_seeds_that_disagree_reach_beyond_the_budgets_tried():
    rng = np.random.default_rng(13)
    curve = np.linspace(0, 1, 7)[:, None] + rng.normal(0, 0.01, 100)
    network = np.array([[0.3], [0.7]]) + rng.normal(0, 0.01, (2, 100))
    found = search_equivalent(2.0 ** np.arange(7), curve, network)
    assert found.estimate == pytest.approx(8.0, rel=0.05)
    assert (found.low, found.high) == (0.0, math.inf)
    one = search_equivalent(2.0 ** np.arange(7), curve, network.mean(0))
    assert 7.5 < one.low < 8.0 < one.high < 8.5


def test_exchange_rate_of_a_planted_plane():
    rng = np.random.default_rng(10)
    train, decision = (a.ravel() for a in np.meshgrid(10.0 ** np.arange(6, 11), [1e4, 1e5, 1e6]))
    linked = -12.0 + 0.8 * np.log10(train) + 1.0 * np.log10(decision)
    chance = 1 / (1 + np.exp(-linked))
    plane = exchange_rate(train, decision, (rng.random((15, 4000)) < chance[:, None]) * 1.0)
    assert plane.exchange.low < -0.8 < plane.exchange.high
    assert plane.exchange.high - plane.exchange.low < 0.15
    assert plane.cells == ((chance > 0.05) & (chance < 0.95)).sum()
    assert plane.score(1e8, plane.isoline(0.6, 1e8)) == pytest.approx(0.6)
    smooth = np.repeat(chance[:, None], 8, axis=1)
    exact = exchange_rate(train, decision, smooth)
    assert exact.exchange.estimate == pytest.approx(-0.8)
    assert (exact.intercept, exact.train) == (pytest.approx(-12.0), pytest.approx(0.8))


def test_exchange_rate_says_when_it_is_not_determined():
    train, decision = np.array([1e6, 1e6, 1e8, 1e8]), np.array([1e3, 1e5, 1e3, 1e5])
    assert math.isnan(exchange_rate(train, decision, np.ones((4, 50))).exchange.estimate)
    rng = np.random.default_rng(12)
    chance = np.array([0.3, 0.3, 0.6, 0.6])[:, None]
    idle = exchange_rate(train, decision, (rng.random((4, 300)) < chance) * 1.0, link="probit")
    assert (idle.exchange.low, idle.exchange.high) == (-math.inf, math.inf)


def test_break_even():
    assert break_even(1000.0, 12.0, 2.0).estimate == 100.0
    assert near(break_even(1000.0, 12.0, 2.0), 100.0, 100.0)
    assert break_even(1000.0, 2.0, 2.0).estimate == math.inf
    # Search that costs at least 12, nobody knows how much more: at most 100 decisions.
    most = break_even(1000.0, Estimate(12.0, 11.0, math.inf, 30, censored=True), 2.0)
    assert most.censored and (most.estimate, most.low) == (100.0, 0.0) and most.high < 120
    found = break_even(1000.0, Estimate(12.0, 10.0, 14.5, 30), 2.0)
    assert near(found, 80.0, 125.0, 1e-9)
    unsure = break_even(1000.0, Estimate(3.0, 1.0, 5.0, 30), 2.0)
    assert unsure.estimate == 1000.0 and unsure.high == math.inf
    assert unsure.low == pytest.approx(1000 / 3)
    assert math.isnan(break_even(nothing(), 2.0, 1.0).estimate)
    noisy = break_even(1e4, np.random.default_rng(0).normal(12, 3, 400), np.full(400, 2.0))
    assert noisy.low < 1000 < noisy.high and noisy.n == 400


@pytest.mark.parametrize("low, high", [(0.0, 0.0), (0.0, 0.4)])
def test_a_ratio_known_to_be_small_only_refutes_at_the_level_of_its_interval(low, high):
    """The logarithm of 0 is no number from which an error could be read."""
    found, claim = Estimate(0.0, low, high, 100, 4.0), Claimed(above=2.0, log=True)
    assert p_value(found, claim) == 0.05 and claim.judge(found) == "refuted"


def test_an_estimate_that_is_only_a_bound_is_no_surer_for_a_wide_interval():
    claim = Claimed(above=2.0, log=True)
    for low in (30.0, 900.0, 1024.0):
        bound = Estimate(1024.0, low, float("inf"), 100, 4.0, censored=True)
        assert p_value(bound, claim) == 0.05
    short = Estimate(1.0, 0.0, 1.5, 100, 4.0, censored=True)
    assert p_value(short, claim) == 0.05 and claim.judge(short) == "refuted"
    unsure = Estimate(1024.0, 1.0, float("inf"), 100, 4.0, censored=True)
    assert p_value(unsure, claim) == 1.0
