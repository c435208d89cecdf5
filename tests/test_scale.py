"""Searches explore alike whatever the size of the returns, and order those of any size rightly."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_histories
from reference_histories import LIGHT
from reference_histories import compile_lightly as history_lightly  # noqa: F401
from tables import ROWS, as_task, bandit, compile_lightly, random_world, run  # noqa: F401

from deliberation.amortised import random_positions
from deliberation.core import Objective, rollout
from deliberation.core.budget import UNLIMITED
from deliberation.core.objective import cancel
from deliberation.direct import PUCT, UCT, Gumbel, HistorySearch, TreeSearch, solve
from deliberation.direct.partial_observation import history_search
from deliberation.direct.ties import slack, tied
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.round import DONE
from deliberation.direct.tree_search.scale import HOPE, scale
from deliberation.direct.tree_search.tree import HIGH, LOW, NODE_SLOTS, VISITS, Q, view
from deliberation.tasks import make_task

BINARY = (2.0**-10, 2.0**10, 2.0**20)
"""Multiplying by these rounds nothing: decisions are the same to the bit."""
DECIMAL = (1e-3, 1e3, 1e6)
BACKENDS = [
    pytest.param("native", marks=pytest.mark.skipif(bool(why_not_native()), reason="no native")),
    "jax",
]
RULES = {
    "uct": UCT(jnp.float32(0.8)),
    "puct": PUCT(jnp.float32(1.1)),
    "gumbel": Gumbel(noise=jnp.float32(1.0)),
}


def limits_of(budget, rows=ROWS):
    return Limits(jnp.full(rows, budget, jnp.int32), jnp.full(rows, UNLIMITED, jnp.int32))


def searched(task, judge, rule, backend, budget=40, roots=None, rows=ROWS, **options):
    planner = TreeSearch(task, rule, judge, backend=backend, **options)
    roots = jnp.zeros(rows, jnp.int32) if roots is None else roots
    seeds = jnp.arange(rows, dtype=jnp.uint32)
    found = run(planner, task.objective, roots, limits_of(budget, rows), seeds, 64)
    return jax.tree.map(np.asarray, found)


def times(task, judge, factor):
    """The same world with all that is earned multiplied, and the evaluator's values with it."""
    rewards = task.rewards
    task = eqx.tree_at(
        lambda t: (t.rewards.reward, t.rewards.limits), task,
        (rewards.reward * jnp.float32(factor), rewards.limits * jnp.float32(factor)),
    )  # fmt: skip
    return task, dataclasses.replace(judge, value=judge.value * jnp.float32(factor))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", RULES)
def test_trees_are_the_same_whatever_the_size_of_the_rewards(rule, backend):
    for seed, kind in ((3, "real"), (4, "binary"), (1, "wins")):
        task, judge = as_task(random_world(seed, kind=kind))
        roots = jnp.arange(ROWS, dtype=jnp.int32) % 8
        decision, outcome = searched(task, judge, RULES[rule], backend, roots=roots)
        for factor in BINARY:
            scaled = times(task, judge, factor)
            again, other = searched(*scaled, RULES[rule], backend, roots=roots)
            np.testing.assert_array_equal(again.action, decision.action)
            np.testing.assert_array_equal(again.weights, decision.weights)
            np.testing.assert_array_equal(again.value, factor * decision.value)
            for slot, unit in ((VISITS, 1.0), (Q, factor)):
                ours, theirs = (x.tree.edges[:, :, slot] for x in (other, outcome))
                np.testing.assert_array_equal(ours, unit * theirs)
        for factor in DECIMAL:
            again, other = searched(*times(task, judge, factor), RULES[rule], backend, roots=roots)
            # Rounding may decide between actions that are as good as equal.
            assert (again.action == decision.action).mean() > 0.8
            assert np.abs(again.weights - decision.weights).mean() < 0.02


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize("rule", ["uct", "puct"])
def test_histories_are_searched_alike_whatever_the_size_of_the_rewards(rule, players):
    task, judge = reference_histories.as_task(reference_histories.random_world(5, players))
    roots = reference_histories.Hidden(
        jnp.zeros(ROWS, jnp.int32), jnp.zeros((ROWS, players), jnp.int32)
    )
    found = []
    for factor in (1.0, *BINARY):
        unit = jnp.float32(factor)
        scaled = eqx.tree_at(lambda t: t.pay.reward, task, task.pay.reward * unit)
        planner = HistorySearch(
            scaled, RULES[rule], dataclasses.replace(judge, value=judge.value * unit)
        )
        seeds = jnp.arange(ROWS, dtype=jnp.uint32)
        got = plan(planner, scaled.objective, roots, limits_of(40), seeds, 64)
        found.append(jax.tree.map(np.asarray, got))
    for factor, (decision, outcome) in zip(BINARY, found[1:], strict=True):
        np.testing.assert_array_equal(decision.action, found[0][0].action)
        np.testing.assert_array_equal(decision.value, factor * found[0][0].value)
        edges = found[0][1].nodes.edges * np.array([1, factor, 1])[:, None]
        np.testing.assert_array_equal(outcome.nodes.edges, edges)


plan = eqx.filter_jit(history_search.plan, compiler_options=LIGHT)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_plain_constant_is_in_units_of_return(backend):
    """With `normalise=False`, a thousand times the reward needs a thousand times the constant."""
    task, judge = as_task(random_world(3))
    large = times(task, judge, 1024.0)
    small, strange, same = (
        searched(*world, UCT(jnp.float32(c), normalise=False), backend, prove=False)[1]
        .tree.edges[:, 0, VISITS]
        for world, c in (((task, judge), 0.8), (large, 0.8), (large, 0.8 * 1024))
    )  # fmt: skip
    assert (small != strange).any()
    np.testing.assert_array_equal(small, same)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_range_is_what_was_met_unless_a_game_for_two_knows_it(backend):
    task, judge = bandit([3.0, -5.0, 1.0, 2.0], value=0.5)
    nodes = searched(task, judge, RULES["uct"], backend, prove=False)[1].tree.nodes[:, 0]
    np.testing.assert_array_equal(nodes[:, LOW], np.full(ROWS, -5.0))
    np.testing.assert_array_equal(nodes[:, HIGH], np.full(ROWS, 3.0))
    task, judge = bandit([0.5, 0.0, 0.25, -0.5], low=-1.0, high=2.0)
    nodes = searched(task, judge, RULES["uct"], backend, prove=False)[1].tree.nodes[:, 0]
    np.testing.assert_array_equal(nodes[:, LOW], np.full(ROWS, -1.0))
    np.testing.assert_array_equal(nodes[:, HIGH], np.full(ROWS, 2.0))


def test_costs_do_not_hide_from_a_single_player_what_may_still_be_had():
    def half(low, high, most, **options):
        node = view(jnp.zeros((1, 4, 2)), jnp.zeros((1, NODE_SLOTS)), False)
        node = dataclasses.replace(node, low=jnp.full(1, low), high=jnp.full(1, high))
        return float(scale(node, most=jnp.float32(most), **options)[1][0, 0])

    assert half(-0.25, 0.5, 0.5) == half(-0.25, 0.5, np.inf) == 0.375
    assert half(-0.25, 0.0, 1.0) == 0.625
    # Where all is worth the same, and where a bound is out of reach.
    assert half(-0.25, -0.25, 1.0) == 0.625
    assert half(-0.25, 0.0, 1e6) == 0.125 * (1 + HOPE)
    assert half(-0.25, 0.0, 1.0, normalise=False) == 1.0


@pytest.mark.skipif(bool(why_not_native()), reason="no native")
def test_back_ends_widen_the_range_of_a_single_player_alike():
    task, judge = as_task(random_world(4, players=1, kind="binary"))
    task = eqx.tree_at(lambda t: t.rewards, task, dataclasses.replace(task.rewards, players=1))
    visits = []
    for most in (np.inf, 6.0):
        task = eqx.tree_at(lambda t: t.rewards.limits, task, jnp.float32([-np.inf, most]))
        for factor in (1.0, BINARY[0]):
            world = times(task, judge, factor)
            trees = [searched(*world, RULES["uct"], x)[1].tree for x in ("native", "jax")]
            for slot in (VISITS, Q):
                np.testing.assert_array_equal(*(x.edges[:, :, slot] for x in trees))
            visits.append(trees[0].edges[:, 0, VISITS])
    for one, other in ((0, 1), (2, 3)):
        np.testing.assert_array_equal(visits[one], visits[other])
    assert (visits[0] != visits[2]).any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("worth", [0.0, 7.0, -1e10])
def test_equal_returns_leave_the_bonus_to_decide(worth, backend):
    """No division by a range of 0: UCT visits evenly, PUCT in proportion to the prior."""
    priors = np.array([0.4, 0.3, 0.2, 0.1])
    task, judge = bandit([worth] * 4, logits=np.log(priors), value=worth)
    for rule in ("uct", "puct"):
        outcome = searched(task, judge, RULES[rule], backend, prove=False)[1]
        visits = outcome.tree.edges[:, 0, VISITS]
        assert np.isfinite(outcome.tree.nodes[:, :41]).all()
        expected = np.full(4, 10) if rule == "uct" else 40 * priors
        assert np.abs(visits - expected).max() <= 1.5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize("name", RULES)
def test_returns_of_any_size_are_tried_and_ordered(name, prove, backend):
    rule = {"puct": PUCT(jnp.float32(4.0)), "gumbel": Gumbel(noise=jnp.float32(0.0))}
    for payoffs in (
        (-1e10, -2e10, -3e10, -1.5e10), (1e10, 2e10, 3e10, -1e10), (1e30, -1e30, 0.0, 1.0),
    ):  # fmt: skip
        task, judge = bandit(payoffs, value=float(np.mean(payoffs)))
        decision, outcome = searched(task, judge, rule.get(name, RULES[name]), backend, prove=prove)
        assert (decision.action == np.argmax(payoffs)).all()
        assert (outcome.tree.edges[:, 0, VISITS] > 0).all()
        if prove:
            assert outcome.tally[:, DONE].all()
            np.testing.assert_array_equal(decision.value, np.full(ROWS, np.float32(max(payoffs))))


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_actions_visited_alike_the_better_return_is_taken(backend):
    """Close to one another far from 0, where a squashed return says nothing."""
    for payoffs in ((-9990.0, -9980.0), (-1e10, -1.001e10), (1e-6, 2e-6)):
        task, judge = bandit(payoffs)
        decision, _ = searched(task, judge, RULES["uct"], backend, budget=2, prove=False)
        assert (decision.action == np.argmax(payoffs)).all()


class Extreme(UCT):
    """Says of its actions that they come first, or last."""

    def interior(self, node):
        later = jnp.where(jnp.arange(4) == 2, -jnp.inf, -1e30)
        return jnp.where(node.visits > 0, later, jnp.inf)

    @property
    def native(self):
        return False


def test_a_rule_may_put_actions_first_or_last():
    task, judge = bandit([0.0, -1.0, 2.0])  # the fourth action is illegal
    outcome = searched(task, judge, Extreme(), "jax", prove=False)[1]
    visits = outcome.tree.edges[:, 0, VISITS]
    assert (visits[:, 2] == 1).all() and (visits[:, 3] == 0).all()
    assert (visits[:, :2] > 10).all()
    only, judge = bandit([1.0])
    outcome = searched(only, judge, Last(), "jax", prove=False)[1]
    assert (outcome.tree.edges[:, 0, VISITS] == np.array([40, 0, 0, 0])).all()


class Last(Extreme):
    """Would rather do nothing at all."""

    def interior(self, node):
        return jnp.full_like(node.q, -jnp.inf)


def test_the_default_search_listens_before_it_opens_a_door():
    """Of the tiger: rewards from -100 to 10, where listening all the time scores -6."""
    task = make_task("tiger", horizon=6)
    planner = HistorySearch(task, budget=500, capacity=512)
    played = rollout(task, planner, key=jax.random.key(0), batch=32)
    assert np.asarray(played.returns).mean() > -3


def test_the_tiger_as_published_is_played_better_than_by_listening_only():
    """All of its 20 steps with the search's defaults; listening only scores -20."""
    task = make_task("tiger")
    played = rollout(task, HistorySearch(task, budget=2000), key=jax.random.key(0), batch=32)
    returns = np.asarray(played.returns)
    assert returns.mean() - 2 * returns.std() / 32**0.5 > -20


class Times(Objective):
    """So many times the points of a game."""

    game: Objective
    factor: float = eqx.field(static=True)

    def __call__(self, state, action, after):
        return self.factor * self.game(state, action, after)


class Bounded(Times):
    """The same with its bounds told."""

    @property
    def bounds(self):
        return tuple(self.factor * x for x in self.game.bounds)


@pytest.mark.parametrize("rule", ["uct", "puct"])
@pytest.mark.parametrize("kind", [Times, Bounded])
def test_connect_four_is_played_alike_for_a_hundred_points_as_for_one(rule, kind):
    task = make_task("connect_four")
    states = random_positions(task, 64, jax.random.key(4))
    planner, found = TreeSearch(task, rule, budget=128), []
    for factor in (1.0, 100.0):
        goal = kind(task.objective, factor)
        decision, _ = planner.decide(states, objective=goal, key=jax.random.key(5))
        found.append(decision)
    # Rounding may decide between actions that are as good as equal.
    assert (np.asarray(found[0].action) == np.asarray(found[1].action)).mean() > 0.95
    np.testing.assert_allclose(found[1].value, 100 * np.asarray(found[0].value), atol=1)


def test_values_are_equal_by_their_own_size():
    rows = np.array([[1.0, 1 - 1e-6, 0.5], [-9990.0, -9980.0, -np.inf], [0.0, 1e-9, 1.0]])
    equal = [[True, True, False], [False, True, False], [False, False, True]]
    for factor in (1e-20, 1e-6, 1.0, 1e6, 1e20):
        np.testing.assert_array_equal(tied(factor * rows), equal)
        values = jnp.asarray(factor * rows)
        near = values >= values.max(1, keepdims=True) - slack(values)
        np.testing.assert_array_equal(near, equal)
    # What rounding left of values that cancel is nothing to choose by.
    assert tied(np.array([[1e-8, -1e-8, -1.0]]), unit=1.0).tolist() == [[True, True, False]]
    assert tied(np.array([[1e-8, -1e-8]]), unit=1.0).all()
    assert not tied(np.array([[1e-8, -1e-8]])).all()
    assert not cancel(np.array([1e-7, 1e-7])) and cancel(np.array([1e7, -1e7]))


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**20])
def test_exact_solutions_prefer_alike_whatever_the_size_of_the_rewards(factor):
    world = random_world(2, kind="real")
    task, _ = as_task(world, plain=True)
    small = eqx.tree_at(lambda t: t.rewards.reward, task, task.rewards.reward * factor)
    solutions = [solve(t) for t in (task, small)]
    states = solutions[0].sample(12)
    one, other = (s.optimal(states) for s in solutions)
    np.testing.assert_array_equal(one, other)
    assert (one.sum(1) == 1).mean() > 0.8
