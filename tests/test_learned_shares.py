"""Shares of episodes over trainings: intervals that are right where all trainings are alike."""

import numpy as np
import pytest

from deliberation.claims.experiments.arms import counted, share, shares_apart
from deliberation.stats import exact_proportion

EPISODES, TRAININGS = 512, 24


def test_all_right_in_every_training_is_known_better_than_one_miss_in_each():
    whole = share(np.ones(TRAININGS), EPISODES)
    exact = exact_proportion(TRAININGS * EPISODES, TRAININGS * EPISODES)
    assert (whole.estimate, whole.low, whole.high) == (1, exact.low, 1)
    assert whole.n == TRAININGS and whole.freedom == TRAININGS - 1
    missed = np.ones(TRAININGS)
    missed[::2] -= 1 / EPISODES
    some = share(missed, EPISODES)
    assert some.low < whole.low < whole.high and 0 <= some.estimate - some.low < 0.01
    assert share(np.ones(TRAININGS)).low < 0.9  # a yes or no of each training
    none = share(np.zeros(TRAININGS), EPISODES)
    assert none.high == pytest.approx(1 - exact.low) and none.low == 0


def test_trainings_that_are_right_always_or_never_are_no_more_than_so_many():
    mixed = share(np.repeat([0.0, 1.0], TRAININGS // 2), EPISODES)
    assert mixed.high - mixed.low > 0.35


def test_shares_that_do_not_differ_are_apart_by_no_more_than_was_counted():
    ones = np.ones(TRAININGS)
    same = shares_apart(ones, ones, EPISODES)
    assert same.estimate == 0 and 0 < same.high < 0.001 and same.low == -same.high
    luck = np.random.default_rng(0).normal(0, 0.1, TRAININGS)
    paired = shares_apart(0.6 + luck, 0.4 + luck, EPISODES)
    assert paired.high - paired.low == pytest.approx(2 * 1.96 * 0.0063, rel=0.2)


def test_the_note_says_so_only_where_trainings_are_alike():
    assert str(EPISODES) in counted(EPISODES, np.ones(4))
    assert counted(EPISODES, np.ones(4), np.arange(4)) == ""


@pytest.mark.parametrize(("middle", "spread"), [(0.5, 0.0), (0.5, 0.2), (0.9, 0.08), (0.999, 0.0)])
def test_the_interval_covers_with_and_without_spread_between_trainings(middle, spread):
    rng, hit, runs = np.random.default_rng(7), 0, 200
    for _ in range(runs):
        chance = np.full(TRAININGS, middle)
        if spread:
            many = middle * (1 - middle) / spread**2 - 1
            chance = rng.beta(middle * many, (1 - middle) * many, TRAININGS)
        found = share(rng.binomial(EPISODES, chance) / EPISODES, EPISODES)
        hit += found.low <= middle <= found.high
    assert hit / runs >= 0.91
