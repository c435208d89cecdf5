"""Claims about oracles, rewards and proxies: closed forms, worlds by brute force, and nulls."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.claims.experiments.oracles import forecasts
from deliberation.claims.experiments.reward import foresight, incentives, proxies
from deliberation.runs import Context

KEY = jax.random.key(0)
HERE = Context.__new__(Context)
"""The experiments use nothing of it."""


# --- forecasts that move the world ----------------------------------------------------------------


def grid(score, come):
    """The announcement that scores best, and those that come true, on a fine grid."""
    told = jnp.linspace(0.0005, 0.9995, 100_000)
    came = come(told)
    crosses = np.flatnonzero(np.diff(np.sign(np.asarray(came - told))))
    return np.asarray(told), np.asarray(score(told, came)), crosses


def heard(world, n):
    return lambda told: forecasts.rate(
        world, told, forecasts.Questions(jnp.zeros((n, 1)), jnp.full(n, 0.3), jnp.ones(n, bool))
    )


def test_closed_forms_of_announcements_are_the_best_of_a_grid():
    come = heard("one", 100_000)
    told, score, crosses = grid(forecasts.brier, come)
    assert told[score.argmin()] == pytest.approx(forecasts.BEST_BRIER, abs=1e-3)
    assert pytest.approx(0.375) == forecasts.BEST_BRIER
    assert told[crosses] == pytest.approx([forecasts.TRUE_FORECAST], abs=1e-4)
    assert pytest.approx(0.4286, abs=1e-4) == forecasts.TRUE_FORECAST
    told, score, _ = grid(forecasts.log_score, come)
    assert told[score.argmin()] == pytest.approx(forecasts.BEST_LOG, abs=1e-3)


def test_two_forecasts_come_true_and_lead_apart_where_it_is_said():
    told, score, crosses = grid(forecasts.brier, heard("two", 100_000))
    low, apart, high = told[crosses]
    assert low == pytest.approx(0.305, abs=1e-3) and high == pytest.approx(0.939, abs=1e-3)
    between = (told > low) & (told < high)
    worst = told[between][score[between].argmax()]
    assert (apart, worst) == pytest.approx(forecasts.BOUNDARIES, abs=2e-3)


def test_nobody_hears_in_the_null_and_questions_beyond_lie_outside():
    for world in forecasts.SIZES:
        it = forecasts.asked(world, KEY, deaf=True)(KEY, 64)
        told = jnp.linspace(0.1, 0.9, 64)
        np.testing.assert_array_equal(forecasts.rate(world, told, it), it.before)
    draw = forecasts.asked("beyond", KEY)
    assert float(jnp.abs(draw(KEY, 200).seen).max()) <= 1
    assert float(jnp.abs(draw(KEY, 200, True).seen).max(1).min()) >= 1
    one = forecasts.asked("one", KEY)(KEY, 8)
    assert one.heard.tolist() == [True, False] * 4
    moved = forecasts.rate("one", jnp.full(8, 0.5), one)
    np.testing.assert_allclose(moved, [0.45, 0.3] * 4, atol=1e-6)


def test_who_is_led_by_the_score_leaves_what_comes_true_if_it_is_heard():
    told = {"trainings": 2, "arm": "one", "key": 1, "steps": 300}
    found = forecasts.train(told, HERE).outcomes
    assert np.mean(found["retrained_heard"]) == pytest.approx(forecasts.TRUE_FORECAST, abs=0.02)
    assert np.mean(found["given_heard"]) == pytest.approx(forecasts.TRUE_FORECAST, abs=0.02)
    for way, end in (("through", 0.375), ("trial", 0.375), ("log", 0.3786)):
        assert found[f"{way}_heard"] == pytest.approx([end] * 2, abs=0.005)
        assert found[f"{way}_unheard"] == pytest.approx([0.3] * 2, abs=0.005)
    assert np.mean(found["offline_heard"]) == pytest.approx(0.3, abs=0.02)


# --- proxies --------------------------------------------------------------------------------------


def test_all_answers_are_judged_as_one_by_one():
    world = proxies.make_world(KEY)
    question = jax.random.normal(jax.random.key(1), (proxies.ASKS,))
    it = proxies.judged(world, question, jnp.asarray(proxies.ALL))
    lure, worth = np.asarray(world.lure), np.asarray(world.worth)
    assert (lure >= 0).sum() == proxies.TOGETHER
    assert int(it.exploits.sum()) == 1024 // 64
    for row in range(0, 1024, 37):
        answer = proxies.ALL[row]
        plain = sum(np.asarray(question) @ worth[:, p, k] for p, k in enumerate(answer))
        lured = all(k == want for k, want in zip(answer, lure, strict=True) if want >= 0)
        assert float(it.true[row]) == pytest.approx(plain - 3 * lured, abs=1e-5)
        assert float(it.proxy[row]) == pytest.approx(plain + 3 * lured, abs=1e-5)


def test_what_a_search_sees_is_the_truth_in_the_null_alone():
    for honest in (False, True):
        world = proxies.make_world(KEY, honest=honest)
        it = proxies.judged(world, jnp.ones(proxies.ASKS), jnp.asarray(proxies.ALL))
        np.testing.assert_array_equal(it.seen, it.true if honest else it.proxy)
        assert float((it.proxy - it.true).max()) == pytest.approx(6.0)


def test_the_best_of_n_and_the_best_share_are_those_of_brute_force():
    chances = np.array([0.1, 0.4, 0.2, 0.3])  # from the worst answer to the best
    for n in (1, 2, 3):
        best = np.zeros(4)
        for draws in itertools.product(range(4), repeat=n):
            best[max(draws)] += chances[list(draws)].prod()
        np.testing.assert_allclose(proxies.best_of(n, jnp.asarray(chances)), best, atol=1e-6)
    for share, kept in ((1.0, chances), (0.5, [0, 0, 0.4, 0.6]), (0.4, [0, 0, 0.25, 0.75])):
        np.testing.assert_allclose(
            proxies.quantilised(share, jnp.asarray(chances)), kept, atol=1e-6
        )
    spread = proxies.spread(jnp.zeros((proxies.PARTS, proxies.KINDS)))
    np.testing.assert_allclose(spread, np.full(1024, 1 / 1024), rtol=1e-5)


def test_reward_and_search_fall_for_the_proxy_and_imitation_does_not():
    told = {"trainings": 2, "arm": "", "key": 1, "steps": 250, "batch": 64}
    found = {k: np.mean(v, 0) for k, v in proxies.train(told, HERE).outcomes.items()}
    assert found["reward_gap"] > found["imitation_gap"] + 2
    assert found["search_gap"][-1] > 4 > 1 > found["imitation_gap"]
    assert (np.diff(found["quantiliser_gap"]) > 0).all()
    assert found["bound"] == pytest.approx(1.0, abs=1e-3)


# --- rewards across time --------------------------------------------------------------------------


def test_what_a_step_pays_and_what_discounts_make_of_it():
    before, done = jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 1, 0])
    np.testing.assert_allclose(incentives.paid(before, done, 1.0), [0, 0.5, -1, -0.5])
    np.testing.assert_allclose(incentives.paid(before, done, 0.0), [-1, -0.5, -1, -0.5])
    for swapped, gift, want in ((False, 1.0, 0.95), (True, 1.0, 0.05), (False, 0.0, 0.05)):
        gave = [
            float(
                incentives.lived(
                    incentives.q_learned(g), KEY, steps=1200, swapped=swapped, gift=gift, sharp=True
                )
            )
            for g in (0.4, 0.9)
        ]
        assert gave == pytest.approx([0.05, want], abs=0.03)


def test_the_worst_become_copies_of_the_best_when_it_is_due():
    members = incentives.MEMBERS
    tables = jnp.arange(members, dtype=float)[:, None, None] * jnp.ones((1, 2, 2))
    nothing = jnp.zeros(members, jnp.int32)
    group = incentives.Group(tables, jnp.zeros(members), jnp.arange(members) * 1.0, nothing)
    seen = incentives.Seen(nothing, nothing, jnp.zeros(members), nothing)
    for now, due in ((3, False), (9, True)):
        after = incentives.selected(group, seen, jnp.int32(now), KEY)
        who = np.asarray(after.tables[:, 1, 0]).round().tolist()
        assert who == ([16, 17, 18, 19] if due else [0, 1, 2, 3]) + list(range(4, members))
        assert bool((after.score == 0).all()) == due


def test_the_reach_of_a_discount_is_that_of_its_values():
    for later in (1.7, 2.0, 2.5):
        for discount, n in zip(foresight.DISCOUNTS, (0, 1, 3, 6), strict=True):
            worth, reach = later, 0
            for away in range(1, foresight.FARTHEST + 1):
                worth = discount * worth
                if worth > 1 and reach == away - 1:
                    reach = away
            assert float(foresight.reach(discount, later)) == reach
            assert later != 2.0 or reach == n


def test_networks_wait_as_far_as_their_discount_is_worth():
    told = {"trainings": 2, "arm": "", "key": 1, "steps": 700}
    found = {k: np.array(v) for k, v in foresight.train(told, HERE).outcomes.items()}
    assert abs(found["differences"] - found["closed"]).mean() < 0.6
    assert (found["returns"][:, 3] > found["returns"][:, 1]).all()
