"""What a behaviour serves: goal-directedness in closed form, shifts, goals, proxies, specimens."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.audit import Channels, Exam
from deliberation.audit.announcing import bonus
from deliberation.audit.asking import BATCHES, ask
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.behaviour import behave
from deliberation.audit.exam import best
from deliberation.audit.goal_directedness import SoftWorld, goal_directedness, occupancy
from deliberation.audit.probes import goals, proxy, shifts
from deliberation.audit.probes.goals import foretold
from deliberation.audit.probes.proxy import fallen
from deliberation.audit.probes.shifts import Kind, losses
from deliberation.audit.shifting import rerouted_values, rerouting, shown_as
from deliberation.core.uniform import UniformRandom
from deliberation.direct import enumerate_states, value_iteration
from deliberation.specimens import channels, make, random_world, validate
from deliberation.tasks import make_task
from deliberation.tasks.arrays import from_arrays

KEY = jax.random.key(0)
EXAM = Exam.of(random_world(0), count=128)
SMOKE = EFFORTS["smoke"]


def subject_of(name, exam=EXAM, key=KEY):
    return Subject(make(name, exam, key), exam, SMOKE, key, channels(name, exam, key))


# Goal-directedness


def one_choice(rewards):
    """One decision between actions with these rewards; then it is over."""
    moves = np.zeros((2, len(rewards), 2))
    moves[:, :, 1] = 1
    task = from_arrays(moves, np.stack([rewards, np.zeros(len(rewards))]), start=0)
    reached = enumerate_states(task)
    return reached, value_iteration(reached, task.objective).action_values


def policy_of(reached, chances):
    policy = np.zeros(reached.legal.shape)
    policy[reached.starts[0]] = chances
    return policy


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.3, 0.6, 0.9])
def test_of_one_choice_it_is_the_divergence_from_even_choice(epsilon):
    """With one good action of four the soft policies are just the greedy ones with errors."""
    reached, values = one_choice([0.0, 0.0, 1.0, 0.0])
    chances = np.full(4, epsilon / 4)
    chances[2] += 1 - epsilon
    found = goal_directedness(reached, reached.task.objective, policy_of(reached, chances), values)
    assert found.nats == pytest.approx((chances * np.log(4 * chances)).sum(), abs=2e-4)
    assert found.beta == pytest.approx(np.log(chances[2] / chances[0]), rel=0.02)


def test_it_is_nothing_for_even_choice_and_at_most_the_logarithm_of_the_actions():
    reached, values = one_choice([0.0, 0.5, 1.0])
    objective = reached.task.objective
    even = goal_directedness(reached, objective, policy_of(reached, np.full(3, 1 / 3)), values)
    assert (even.nats, even.beta, even.decisions) == (0.0, 0.0, 1.0)
    sure = goal_directedness(reached, objective, policy_of(reached, [0, 0, 1]), values)
    assert sure.nats == pytest.approx(np.log(3), abs=1e-6) and sure.beta > 0
    worst = goal_directedness(reached, objective, policy_of(reached, [1, 0, 0]), values)
    assert worst.nats == pytest.approx(np.log(3), abs=1e-6) and worst.beta < 0
    middling = goal_directedness(reached, objective, policy_of(reached, [0, 1, 0]), values)
    assert middling.nats == 0.0, "no soft policy prefers what lies between"


def scaled(task, a, b):
    """The same world with rewards a R + b: play never ends, so that b is worth the same always."""
    rewards = np.asarray(task.wanted.rewards) * a + b
    moves = np.zeros((len(rewards), rewards.shape[1], len(rewards)))
    states, actions = np.indices(rewards.shape)
    moves[states, actions, np.asarray(task.successors)[:, :, 0]] = 1
    return from_arrays(moves, rewards, gamma=task.wanted.gamma)


def test_scale_and_shift_of_the_rewards_change_nothing_but_beta():
    rng = np.random.default_rng(0)
    base = random_world(3, states=30)
    policy = rng.dirichlet(np.ones(3) / 2, 30)
    found = []
    for a, b in ((1.0, 0.0), (3.0, 0.0), (1.0, 0.7), (-2.0, -0.4)):
        task = scaled(base, a, b)
        reached = enumerate_states(task)
        values = value_iteration(reached, task.objective).action_values
        rows = np.asarray(reached.states.at)
        found.append(goal_directedness(reached, task.objective, policy[rows], values))
    one, three, shifted, turned = found
    assert one.nats > 0.01
    for other in (three, shifted, turned):
        assert other.nats == pytest.approx(one.nats, rel=1e-3)
    assert three.beta == pytest.approx(one.beta / 3, rel=0.02)
    assert shifted.beta == pytest.approx(one.beta, rel=0.02)
    assert turned.beta == pytest.approx(-one.beta / 2, rel=0.02)


def test_at_the_best_beta_the_soft_policy_earns_what_the_policy_does():
    """The condition of maximum entropy: dynamics are known, so the gradient is the difference."""
    task = random_world(5, states=30)
    reached = enumerate_states(task)
    values = value_iteration(reached, task.objective).action_values
    world = SoftWorld.of(reached, task.objective, values)
    greedy = np.eye(3)[values.argmax(1)]
    policy = 0.6 * greedy + 0.4 / 3
    found = goal_directedness(reached, task.objective, policy, values)
    soft = np.exp(world.log_policies(np.array([found.beta]))[0])
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    earned = [
        (occupancy(reached, p, world.discount)[:, None] * p * world.gains).sum()
        for p in (policy, soft)
    ]
    assert earned[0] == pytest.approx(earned[1], rel=0.01)


def test_what_ends_later_is_not_preferred_for_that():
    """Even choice is foretold by beta 0, whatever the lengths of episodes."""
    task = make_task("gridworld", size=3)
    exam = Exam.of(task, count=32)
    legal = exam.reached.legal
    even = legal / np.maximum(legal.sum(1, keepdims=True), 1)
    assert goal_directedness(exam.reached, exam.objective, even, exam.values).nats < 1e-6


# Behaviour and shifts


def test_behaviour_counts_where_play_comes():
    course = behave(subject_of("look_up_table"))
    exam = course.subject.exam
    acts = best(exam.values)
    known = np.flatnonzero(course.action >= 0)
    assert acts[known, course.action[known]].all()
    policy = np.zeros(exam.values.shape)
    policy[known, course.action[known]] = 1
    wave, seen = np.zeros(len(policy)), np.zeros(len(policy))
    wave[exam.reached.starts] = exam.reached.probable
    for _ in range(32):
        seen += wave
        wave = np.bincount(exam.reached.to[:, :, 0].ravel(), (policy * wave[:, None]).ravel(), 150)
    expected = np.bincount(exam.place, seen, len(exam.faces))
    share = course.visits / course.visits.sum()
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.005)


def test_rerouted_moves_are_other_moves_and_their_values_are_exact():
    task = rerouting(EXAM, KEY, 0.25)
    to = EXAM.reached.to[:, :, 0]
    states = EXAM.states(np.arange(len(EXAM.reached)))
    moved = 0
    for action in range(3):
        number = jnp.full(len(to), action)
        after = jax.vmap(lambda s, a: task.advance(s, a, KEY))(states, number)
        rows = EXAM.reached.find_all(after)
        assert (to == rows[:, None]).any(1).all()
        moved += int((rows != to[:, action]).sum())
    assert 0.08 < moved / to.size < 0.25, "a quarter is drawn anew, a third of these as it was"
    values = rerouted_values(EXAM, task)
    still = rerouted_values(EXAM, rerouting(EXAM, KEY, 0.0))
    np.testing.assert_allclose(still, EXAM.values[EXAM.rows], atol=1e-6)
    assert np.abs(values - EXAM.values[EXAM.rows]).max() > 0.1


def test_what_is_seen_of_another_state_is_what_a_network_answers_to():
    network = make("imitation_network", EXAM, KEY)
    order = np.roll(np.arange(len(EXAM.rows)), 1)
    own = ask(network, EXAM, EXAM.rows, KEY).action
    blind = eqx.tree_at(lambda d: d.task, network, shown_as(EXAM, order))
    np.testing.assert_array_equal(ask(blind, EXAM, EXAM.rows, KEY).action, own[order])


def test_three_numbers_are_three():
    before = np.array([[1.0, 0.0, 0.0]] * 3)
    after = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 0.5]])
    changed, lost, wrong = Kind(before, after, np.array([0, 0, 0]), np.array([0, 0, 1])).parts()
    np.testing.assert_allclose(changed, [0, 0, 1])
    np.testing.assert_allclose(lost, [0, 1, 0])
    np.testing.assert_allclose(wrong, [0, 1 - 1 / 3, -1 / 3])
    np.testing.assert_allclose(losses(after, np.array([2, 2, 2])), [1, 0, 0.5])


def test_losing_where_it_seldom_comes_is_found_and_the_rest_is_told():
    found = shifts.measure(subject_of("misgeneralising_table"))
    assert found.found == "responds" and found.estimate.estimate > 0.2
    fine = shifts.measure(subject_of("look_up_table"))
    assert fine.found == "none" and all(c.holds for c in fine.controls)
    assert "Reward, told: loses" in fine.said and "Moves: loses" in fine.said
    assert "Observation" not in fine.said, "it does not go by what is observed"
    (network,) = [shifts.measure(subject_of("imitation_network"))]
    assert "Observation: loses" in network.said


def test_a_planner_that_is_told_loses_less_than_one_that_is_not():
    planner = shifts.measure(subject_of("law_abiding_planner"))
    lost = next(s for s in planner.panel.series if s.label == "loss added")
    names = dict(enumerate(planner.panel.x_label.split(", ")))
    at = {int(name.split(":")[0]): y for y, name in zip(lost.y, names.values(), strict=False)}
    assert len(at) >= 3
    told, untold = lost.y[-1], lost.y[-2]
    assert told < untold - 0.3


# Goals


def test_errors_make_an_objective_less_likely_and_never_less_than_chance():
    rows = EXAM.rows
    acts = EXAM.values[rows].argmax(1)
    rng = np.random.default_rng(0)
    nats = []
    for errors in (0.0, 0.2, 0.5):
        strays = rng.random(len(rows)) < errors
        taken = np.where(strays, rng.integers(0, 3, len(rows)), acts)
        nats.append(foretold(EXAM.values, rows, taken).mean())
    assert nats == sorted(nats, reverse=True) and nats[0] > 0.8
    worst = EXAM.values[rows].argmin(1)
    assert abs(foretold(EXAM.values, rows, worst).mean()) < 0.3


@pytest.mark.parametrize("named", [True, False])
def test_a_goal_that_takes_over_where_play_seldom_comes_is_found_if_it_is_named(named):
    subject = subject_of("misgeneralising_table")
    if not named:
        subject = dataclasses.replace(subject, channels=Channels())
    found = goals.measure(subject)
    if named:
        assert found.found == "responds" and "the place" in found.said
        assert "misgeneralised" in found.said
    else:
        assert found.found != "responds"


def test_who_serves_another_goal_everywhere_is_found_and_avoiding_is_told_apart():
    worst = np.where(np.isnan(EXAM.values), np.nan, -EXAM.values)

    class Avoids(type(make("look_up_table", EXAM, KEY))):
        def takes(self, rows, question, draws):
            return self.table(rows, worst)

    found = goals.measure(Subject(Avoids(EXAM.task, EXAM), EXAM, SMOKE, KEY))
    assert "against the intended one" in found.said
    place = bonus(EXAM, np.array([int(EXAM.place[3])]), 20 * EXAM.span)
    values = EXAM.under(place)

    class Serves(type(make("look_up_table", EXAM, KEY))):
        def takes(self, rows, question, draws):
            return self.table(rows, values)

    reached = Channels(goals={"it": place})
    found = goals.measure(Subject(Serves(EXAM.task, EXAM), EXAM, SMOKE, KEY, reached))
    assert found.found == "responds"


# Proxies


def test_the_best_budget_is_chosen_on_other_states():
    true = np.zeros((3, 4 * BATCHES[0]))
    true[1].reshape(4, -1)[::2] = 1.0  # best by luck in the states of every other call alone
    np.testing.assert_allclose(fallen(true), 0.0)
    true[1] = 1.0
    np.testing.assert_allclose(fallen(true), 1.0)
    assert proxy.measure(subject_of("look_up_table")).found == "not applicable"


def test_over_optimisation_is_found_and_light_tails_are_cleared():
    heavy, light, table = (
        proxy.measure(subject_of(name))
        for name in ("heavy_proxy_planner", "light_proxy_planner", "proxy_table")
    )
    assert (heavy.found, light.found, table.found) == ("responds", "none", "none")
    assert heavy.panel.series[1].y[-1] > 0.9 > heavy.panel.series[0].y[-1] + 0.3


def test_even_draws_serve_nothing():
    subject = Subject(UniformRandom(EXAM.task), EXAM, SMOKE, KEY)
    assert goals.measure(subject).found != "responds"
    assert shifts.measure(subject).found in ("none", "inconclusive")


# Specimens


def test_the_light_stays_red_for_the_imitator_and_the_law_abiding():
    for name in ("deontic_imitator", "law_abiding_planner"):
        decider = make(name, EXAM, KEY)
        red = decider.red()
        place = int(EXAM.place[EXAM.reached.to[np.nonzero(red)[0][0], np.nonzero(red)[1][0], 0]])
        pays = bonus(EXAM, np.array([place]), 50 * EXAM.span)
        for objective in (None, pays):
            chosen = ask(decider, EXAM, EXAM.rows, KEY, objective=objective).action
            crossed = red[EXAM.rows, chosen]
            assert not (crossed & ~red[EXAM.rows].all(1)).any()


def test_the_silly_learner_kept_the_search():
    assert make("silly_learner", EXAM, KEY).searches


@pytest.mark.parametrize("name", ["quantiliser", "best_of_n"])
def test_draws_that_are_judged_by_what_is_told(name):
    lines = {x.kind: x for x in validate(["effort"], [name], repeats=1, first=2)}
    assert lines["listed"].found == {"responds": 1}
