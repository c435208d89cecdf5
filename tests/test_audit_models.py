"""Probes of the model behind behaviour: rival accounts that forecast it, and maps of it."""

import dataclasses
import sys
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from _forecasts_page import brought, gains, in_short, spread

from deliberation import make_task, rollout
from deliberation.audit import Exam, audit
from deliberation.audit.asking import ask
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.contest import FLOOR, Agent, Aim, Device, aims, count, loss, worth
from deliberation.audit.exam import best
from deliberation.audit.forecasting import (
    Accounts,
    Astray,
    Case,
    calibration,
    fit_forecaster,
    flat,
    without_profile,
)
from deliberation.audit.judging import answered
from deliberation.audit.probes import forecast, map, size
from deliberation.audit.profile import Profile
from deliberation.audit.sampling import Judge
from deliberation.audit.searching import BUDGETS, searched
from deliberation.core import CheckedDecider, Task, UniformRandom
from deliberation.direct import TreeSearch, optimal_return
from deliberation.specimens import channels, make, random_world
from deliberation.specimens.planners.depth_planner import DepthPlanner
from deliberation.specimens.worlds import stretched
from deliberation.stats import Estimate

KEY = jax.random.key(0)
EXAM = Exam.of(random_world(0), count=96)
SMOKE = EFFORTS["smoke"]


def test_a_device_repeats_what_was_done_and_takes_base_rates_elsewhere():
    met, new = EXAM.rows[:64], EXAM.rows[64:]
    counts = np.zeros((64, 3))
    counts[np.arange(64), np.arange(64) % 2] = 6
    device = Device(EXAM, met, counts)
    said = device.says(met)
    np.testing.assert_allclose(said.sum(1), 1, rtol=1e-6)
    assert said[np.arange(64), np.arange(64) % 2].min() > 0.97
    elsewhere = device.says(new)
    np.testing.assert_allclose(elsewhere[:, :2], 0.5, atol=0.05)
    assert elsewhere.min() >= FLOOR / 3 - 1e-9


def test_a_device_goes_by_what_looks_alike():
    """What was done in a cell of a grid is told of the same cell at another time."""
    exam = Exam.of(make_task("gridworld", size=4), count=300)
    side = exam.place[exam.rows] % 2
    met = np.arange(len(exam.rows)) % 3 > 0
    counts = np.zeros((met.sum(), exam.values.shape[1]))
    counts[np.arange(met.sum()), side[met]] = 6
    said = Device(exam, exam.rows[met], counts).says(exam.rows[~met])
    assert loss(said, side[~met]).mean() < 0.35 < np.log(2)


def test_a_device_knows_noise_from_habit():
    rng = np.random.default_rng(0)
    truth = np.full(3, 1 / 3)
    noise = rng.multinomial(6, truth, size=len(EXAM.rows)).astype(float)
    said = Device(EXAM, EXAM.rows, noise).says(EXAM.rows)
    assert np.abs(said - truth).max() < 0.15


@pytest.mark.parametrize("depth", [2, 3])
def test_an_agent_finds_how_far_ahead_a_planner_looks(depth):
    subject = Subject(DepthPlanner(EXAM.task, EXAM, depth), EXAM, SMOKE, KEY)
    counts = count(lambda rows, i: forecast._plain(subject, rows, i), EXAM.rows, 3)
    tried = aims(EXAM, np.random.default_rng(0))
    agent = Agent(EXAM, EXAM.rows, counts, tried)
    found = tried[int(agent.weights.sum(1).argmax())]
    assert (found.depth, found.playouts) == (depth, False)
    assert found.objective is EXAM.objective


def test_an_agent_is_weighed_where_actions_are_illegal():
    exam = Exam.of(make_task("countdown", numbers=2, largest=4, least=2, grammar=True), count=12)
    assert not exam.legal[exam.rows].all()
    counts = 3.0 * best(exam.values[exam.rows])
    tried = aims(exam, np.random.default_rng(0))[:2]
    agent = Agent(exam, exam.rows, counts, tried)
    assert agent.weights.sum() == pytest.approx(1)


def test_states_are_of_the_subjects_own_play_where_nothing_is_at_stake_in_random_play():
    task = make_task("countdown", numbers=2, largest=2, least=2, most=4)
    player = Clever(task)
    assert all(rollout(task, player, key=KEY, batch=4).returns == 1)
    exam = Exam.of(task, count=4, reference=Judge(None, 8), player=player)
    assert exam.drawn is not None and exam.drawn.own and "its own play" in exam.note


class Clever(CheckedDecider):
    """Follows the grammar, and of several symbols takes what a short search thinks best."""

    task: Task

    def choose(self, question):
        told = make_task("countdown", numbers=2, largest=2, least=2, most=4, grammar=True)
        search = TreeSearch(told, budget=64)
        return search.decide(question.state, key=question.keys)[0], None


def test_what_is_worth_what_to_a_short_look_and_to_one_with_playouts():
    ahead = worth(EXAM, Aim(EXAM.objective, 3))
    np.testing.assert_allclose(ahead, EXAM.ahead(3), atol=1e-5)
    np.testing.assert_allclose(worth(EXAM, Aim(EXAM.objective, 200)), EXAM.values, atol=1e-5)
    # One move, then random play: what any action earns is the mean of all.
    played = worth(EXAM, Aim(EXAM.objective, 1, True))
    state, action = 5, 1
    after = EXAM.reached.to[state, action, 0]
    earned = EXAM.reached.rewards(EXAM.objective)[state, action, 0]
    later = np.nanmean(played[after])
    assert played[state, action] == pytest.approx(earned + 0.9 * later, abs=0.02)


@pytest.mark.parametrize(
    ("name", "found"),
    [("look_up_table", "against"), ("random_function", "against"), ("noisy_planner", "responds")],
)
def test_the_contest_is_won_by_the_right_account(name, found):
    answer = forecast.measure(Subject(make(name, EXAM, KEY), EXAM, SMOKE, KEY))
    assert answer.found == found, answer
    assert answer.controls[0].holds
    announced, fresh, _, ordinary = answer.panel.series[0].y
    assert announced == answer.estimate.estimate and ordinary < 0.1
    if name == "look_up_table":
        assert fresh > 0.5, "values tell what is best in states that a clone never met"
    assert answer.panel.x_names == ["announced", "new starts", "rerouted", "ordinary"]
    assert len(answer.panel.series[0].x) == 4


def test_who_acts_at_random_is_told_as_well_by_either():
    answer = forecast.measure(Subject(UniformRandom(EXAM.task), EXAM, SMOKE, KEY))
    assert answer.found in ("none", "inconclusive")
    assert abs(answer.estimate.estimate) < 0.1


def test_rerouted_actions_stay_legal():
    moved = forecast.swap(EXAM, np.random.default_rng(0))
    changed = (moved != np.arange(3)).any(1)
    assert 0.1 < changed.mean() < 0.3
    assert (moved[changed] != np.arange(3)).all() and (np.sort(moved) == np.arange(3)).all()


def test_the_map_shows_where_a_subject_errs():
    exam = Exam.of(make_task("gridworld", size=4), count=64)
    found = audit(UniformRandom(exam.task), exam.task, probes=["map"], effort="smoke")["map"]
    assert found.found == "told" and 0 < found.estimate.estimate < 0.9
    costs = [state.lost for state in found.cited]
    assert len(costs) == map.CITED and costs == sorted(costs, reverse=True) and costs[-1] > 0
    assert all(state.chosen != state.best and state.picture for state in found.cited)
    assert {s.named(s.best) for s in found.cited} <= set(exam.task.action_names)


def test_the_map_of_a_search_is_that_search():
    subject = Subject(make("uct", EXAM, KEY), EXAM, SMOKE, KEY)
    found = map.measure(subject)
    agreement = dict(zip(found.panel.series[0].x, found.panel.series[0].y, strict=True))
    assert agreement[64] > agreement[1] + 0.2
    right = best(EXAM.values[EXAM.rows])
    by_budget = [
        right[np.arange(len(right)), action].mean()
        for action in searched(EXAM, jax.random.fold_in(KEY, 1))
    ]
    assert found.panel.series[1].y == pytest.approx(by_budget)
    assert len(by_budget) == len(BUDGETS) and by_budget[-1] > by_budget[0]


def test_what_size_takes_a_larger_budget_gives_back():
    exam = Exam.of(random_world(3), count=96)
    found = {}
    for name in ("sweep_planner", "depth_planner", "look_up_table"):
        subject = Subject(make(name, exam, KEY), exam, SMOKE, KEY, channels(name, exam, KEY))
        found[name] = size.measure(subject)
    assert found["sweep_planner"].found == "responds"
    assert found["depth_planner"].found == "none" and found["depth_planner"].estimate.estimate == 0
    assert found["look_up_table"].found == "not applicable"
    small, large = found["sweep_planner"].panel.series
    assert large.y[3] < small.y[3] - 0.2 and large.y[-1] == pytest.approx(1)
    alone = Subject(make("uct", exam, KEY), exam, SMOKE, KEY)
    assert size.measure(alone).found == "not applicable"


def test_a_stretched_world_is_as_good_and_needs_as_many_times_the_look_ahead():
    world = random_world(0, states=30)
    small, large = Exam.of(world, count=30), Exam.of(stretched(world, 3), count=30)
    assert len(large.reached) == 30 + 30 * 3 * 2
    rows = large.reached.find_all(small.states(np.arange(30)))
    np.testing.assert_allclose(large.values[rows], small.values, atol=1e-5)
    assert np.isin(large.rows, rows).all(), "on the way nothing is chosen"


def test_what_is_lost_by_size_alone_is_told_from_longer_ways():
    small, large = np.repeat([1, 2], 20), np.repeat([1, 2], [10, 30])
    by_need = np.array([0.0, 1.0, 0.5])
    assert size.alike(small, large, by_need[small], by_need[large]) == 0
    assert size.alike(small, large, by_need[small], by_need[large] - 0.2) == pytest.approx(0.2)
    assert np.isnan(size.alike(small, large + 5, by_need[small], by_need[large]))


def test_weights_of_accounts_are_learned_from_other_subjects():
    """Who responds goes by what it is told, who does not goes on as before."""
    device, told = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.8, 0.1])
    rng = np.random.default_rng(0)

    def case(responds):
        answers = [
            answered({**forecast.PROBE, "name": "objective"}, Estimate(x, x, x, 9), {})
            for x in [1.0 if responds else 0.0]
        ]
        profile = Profile(subject="", task="", effort="smoke", states=9, asked=9, answers=answers)
        said = Accounts(*(np.tile(x, (40, 1)) for x in (device, told, device)), announced=True)
        return Case(profile, said, rng.choice(3, 40, p=told if responds else device))

    forecaster = fit_forecaster([case(i % 2 == 0) for i in range(12)])
    listens, deaf = case(True), case(False)
    assert forecaster.trust(listens.profile, announced=True)[1] > 0.7
    assert forecaster.trust(deaf.profile, announced=True)[1] < 0.3
    np.testing.assert_allclose(forecaster.trust(deaf.profile, announced=False), 1 / 3)
    nats = [loss(forecaster.says(c.profile, c.accounts), c.chosen).mean() for c in (listens, deaf)]
    assert max(nats) < loss(listens.accounts.device, listens.chosen).mean()


def test_without_a_profile_everybody_is_mixed_alike():
    """Half respond: the mixture that fits both trusts each account with half, whoever it is of."""
    device, told = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.8, 0.1])

    def case(responds):
        x = float(responds)
        answer = answered({**forecast.PROBE, "name": "objective"}, Estimate(x, x, x, 9), {})
        profile = Profile(subject="", task="", effort="smoke", states=9, asked=9, answers=[answer])
        said = Accounts(*(np.tile(p, (40, 1)) for p in (device, told, device)), announced=True)
        return Case(profile, said, np.full(40, int(responds)))

    cases = [case(i % 2 == 0) for i in range(12)]
    reading = fit_forecaster(cases)
    blind = fit_forecaster([without_profile(c) for c in cases])
    silent = [without_profile(case(x)) for x in (True, False)]
    trusts = [blind.trust(c.profile, announced=True) for c in silent]
    np.testing.assert_allclose(trusts[0], trusts[1])
    assert trusts[0][1] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(blind.scores[:, :, 1:], 0.0, atol=1e-6)
    for one, other in zip((case(True), case(False)), silent, strict=True):
        read = loss(reading.says(one.profile, one.accounts), one.chosen).mean()
        unread = loss(blind.says(other.profile, other.accounts), other.chosen).mean()
        assert read < unread - 0.2


def test_what_a_profile_brings_is_counted_by_families_and_said_plainly():
    def row(family, gain, over="without_profile"):
        nats = {"forecast": 1.0, "clone": 1.0, "constant": 1.0}
        return {"family": family, "change": "rerouted", **nats, over: 1.0 + gain}

    # Of one family three worlds, of another one: each family counts once.
    rows = [row("a", 0.3), row("a", 0.3), row("a", 0.3), row("b", 0.1)]
    assert gains(rows, "without_profile", ["rerouted"]).estimate == pytest.approx(0.2)
    said = [
        brought(Estimate(*x, 9))
        for x in ((0.3, 0.2, 0.4), (0.05, 0.01, 0.08), (0.0, -0.01, 0.02), (0.1, -0.2, 0.4),
                  (-0.2, -0.3, -0.1))
    ]  # fmt: skip
    words = ("adds more than", "adds less than", "adds nothing that matters", "not shown", "worse")
    assert all(word in text for word, text in zip(words, said, strict=True))
    mixed = [*(row(f"family {i}", 0.05 * i) for i in range(5)), row("misled", -0.9)]
    assert "worse than all others misled (-0.90)" in spread(mixed, ["rerouted"])
    assert spread([row("a", 0.01), row("b", -0.01)], ["rerouted"]) == ""
    assert "none of the changes" in in_short(mixed)
    helped = [row(f"family {i}", 0.2 + 0.01 * i) for i in range(6)]
    assert in_short(helped).endswith("under: rerouted.")


def test_mixtures_of_calibrated_accounts_are_made_as_sure_as_they_may_be():
    """Two accounts see each their own evidence: the mean of both is too cautious."""
    rng = np.random.default_rng(3)

    def case(n=400):
        chosen = rng.integers(0, 2, n)
        seen = [rng.normal(np.where(chosen == 0, 1.0, -1.0), 1.0) for _ in range(2)]
        first, second = (np.stack([1 / (1 + np.exp(-2 * x)), 1 / (1 + np.exp(2 * x))], 1)
                         for x in seen)  # fmt: skip
        profile = Profile(subject="", task="", effort="smoke", states=9, asked=9, answers=[])
        return Case(profile, Accounts(first, second, second, announced=True), chosen)

    forecaster, fresh = fit_forecaster([case() for _ in range(8)]), case(8000)
    plain = dataclasses.replace(forecaster, sharpness=np.ones(3))
    assert forecaster.sharpness[2] > 1.5 and (forecaster.sharpness[:2] == 1).all()
    said, cautious = (f.says(fresh.profile, fresh.accounts) for f in (forecaster, plain))
    assert loss(said, fresh.chosen).mean() < loss(cautious, fresh.chosen).mean() - 0.01
    np.testing.assert_allclose(said.sum(1), 1)

    def apart(said):
        return max(abs(taken - mean) for mean, taken, _ in calibration(said, fresh.chosen))

    assert apart(said) < 0.1 < apart(cautious)


def test_a_device_is_trusted_where_it_has_seen_answers_and_an_agent_elsewhere():
    """And another state that may be seen is mixed in after all else, by its own chance."""
    rng = np.random.default_rng(1)
    profile = Profile(subject="", task="", effort="smoke", states=9, asked=9, answers=[])

    def said(right, sure):
        wrong = np.eye(3)[(right + 1) % 3]
        return np.where(np.eye(3)[right] > 0, sure, (1 - sure) * wrong + 1e-3)

    def case(n=200, chance=0.0):
        acts, met = rng.integers(0, 3, n), rng.random(n) < 0.5
        lost = (acts + rng.integers(1, 3, n)) % 3  # who does not know is sure of something else
        device = said(np.where(met, acts, lost), 0.9)
        agent = said(np.where(met, lost, acts), 0.9)
        device, agent = (x / x.sum(1, keepdims=True) for x in (device, agent))
        accounts = Accounts(device, agent, agent, announced=False, met=met)
        strays = rng.random(n) < chance
        chosen = np.where(strays, rng.permutation(acts), acts)
        return Case(profile, accounts, chosen, Astray(chance, accounts) if chance else None)

    forecaster = fit_forecaster([case() for _ in range(6)] + [case(chance=0.5) for _ in range(6)])
    assert forecaster.trust(profile, announced=False, met=True)[0] > 0.8
    assert forecaster.trust(profile, announced=False)[0] < 0.2
    fresh, astray = case(4000), case(4000, chance=0.5)
    sure = forecaster.says(profile, fresh.accounts)
    assert sure.max(1).mean() > 0.85
    told = forecaster.says(profile, astray.accounts, astray.astray)
    np.testing.assert_allclose(told.sum(1), 1)
    # Half of what it sees is another state: nobody can be surer than two thirds.
    assert abs(told.max(1).mean() - 2 / 3) < 0.06
    assert loss(told, astray.chosen).mean() < loss(flat(astray).device, astray.chosen).mean() - 0.1
    assert max(abs(m - t) for m, t, n in calibration(told, astray.chosen) if n > 200) < 0.08


def test_calibration_compares_what_was_said_with_what_was_done():
    said = np.tile([0.9, 0.1], (100, 1))
    table = calibration(said, np.array([0] * 90 + [1] * 10))
    assert table == [(pytest.approx(0.1), pytest.approx(0.1), 100),
                     (pytest.approx(0.9), pytest.approx(0.9), 100)]  # fmt: skip


def test_a_replay_plays_an_episode_by_time_alone():
    task = make_task("gridworld", size=4)
    exam = Exam.of(task, count=64)
    recorded = make("replay", exam, KEY)
    played = rollout(task, recorded, key=KEY, batch=2)
    assert played.returns.mean() == pytest.approx(optimal_return(task))
    chosen = ask(recorded, exam, exam.rows, KEY).action
    assert (chosen == np.asarray(recorded.recorded)[0]).mean() > 0.5


def test_a_planner_with_a_wrong_model_errs_where_it_is_wrong():
    planner = make("wrong_model", EXAM, KEY)
    wrong = (planner.thought != np.arange(3)).any(1)
    values = planner.imagined(EXAM.objective)
    right = best(EXAM.values)[np.arange(len(values)), values.argmax(1)]
    assert right[~wrong].mean() > right[wrong].mean() + 0.2
    true = eqx.tree_at(lambda p: p.thought, planner, np.tile(np.arange(3), (len(values), 1)))
    np.testing.assert_allclose(true.imagined(EXAM.objective), EXAM.values, atol=0.02)


def test_a_map_of_drawn_states_is_by_the_word_of_who_judges_them():
    task = EXAM.task
    judge = Judge(TreeSearch(task, "uct", capacity=65), 64)
    found = audit(UniformRandom(task), task, probes=["map"], effort="smoke", reference=judge)["map"]
    assert found.found == "told" and 0.2 < found.estimate.estimate < 0.6, found
    assert "What is best is the word of" in found.said
