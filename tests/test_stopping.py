"""Searches that end early: the same answer for less, or no more than it is worth."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_search import World
from scipy import integrate, special, stats
from tables import (  # noqa: F401
    ACTIONS,
    LIGHT,
    as_task,
    compile_lightly,
    random_world,
    run,
)

from deliberation.core import Budget, check_decider
from deliberation.core.budget import UNLIMITED
from deliberation.direct import PUCT, UCT, Gumbel, TreeSearch
from deliberation.direct.tree_search import stopping
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.engine import beaten
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.stopping import (
    Decided,
    Never,
    Returns,
    Standing,
    ValueOfComputation,
)
from deliberation.direct.tree_search.tree import NodeView

ROWS = 16
RULES = {"uct": UCT(jnp.float32(0.7)), "puct": PUCT(jnp.float32(0.4), jnp.float32(20.0))}


def searched(planner, roots, budgets, caps=UNLIMITED, seed=0):
    limits = Limits(jnp.asarray(budgets, jnp.int32), jnp.full(ROWS, caps, jnp.int32))
    noise = jnp.arange(ROWS, dtype=jnp.uint32) + seed * 100
    return run(planner, planner.task.objective, jnp.asarray(roots, jnp.int32), limits, noise, 64)


@pytest.mark.parametrize("backend", ["native", "jax"])
@pytest.mark.parametrize("name", ["uct", "puct"])
def test_a_decided_search_gives_the_action_of_the_whole_budget(name, backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    saved, compared, steps = 0, 0, 0
    for seed in range(6):
        world = random_world(seed, players=1 + seed % 2, kind=("real", "binary")[seed % 2])
        task, judge = as_task(world)
        given = (np.arange(ROWS), np.random.default_rng(seed).integers(1, 60, ROWS))
        whole, early = (
            searched(
                TreeSearch(task, RULES[name], judge, prove=False, stopping=rule, backend=backend),
                *given,
                caps=(UNLIMITED, 25)[seed // 3],
                seed=seed,
            )
            for rule in (Never(), Decided())
        )
        np.testing.assert_array_equal(whole[0].action, early[0].action)
        assert (early[1].simulations <= whole[1].simulations).all()
        live = ~world.over[:ROWS]
        assert ((early[1].simulations > 0) | (given[1] == 0))[live].all()
        saved += int((whole[1].simulations - early[1].simulations).sum())
        compared += int(whole[1].simulations.sum())
        fewer = whole[0].spent.model_steps - early[0].spent.model_steps
        assert (fewer >= 0).all()
        steps += int(fewer.sum())
    assert saved > 0.15 * compared and steps > 20


def leads(view, left):
    """How far the most visited action is ahead of what another could still reach."""
    visits = np.sort(np.where(view.legal, view.visits, -1), axis=1)
    return visits[:, -1] - visits[:, -2] - left


def test_it_stops_as_soon_as_it_is_decided_and_not_before():
    task, judge = as_task(random_world(1))
    roots, budgets = np.full(ROWS, 1), np.arange(ROWS) * 3 + 4
    planner = TreeSearch(task, RULES["uct"], judge, prove=False, stopping=Decided())
    taken = np.asarray(searched(planner, roots, budgets)[1].simulations)
    assert (taken < budgets).sum() > 8
    plain = TreeSearch(task, RULES["uct"], judge, prove=False)
    for before in (0, 1):
        view = searched(plain, roots, taken - before)[1].tree.root
        ahead = leads(view, budgets - taken + before)
        assert (ahead[taken < budgets] > 0).all() if before == 0 else (ahead <= 0).all()


def test_with_proofs_only_a_later_proof_can_change_the_action():
    saved, changed = 0, 0
    for seed in range(8):
        task, judge = as_task(random_world(seed, kind="wins"))
        given = (np.arange(ROWS), np.full(ROWS, 50))
        whole, early = (
            searched(TreeSearch(task, RULES["puct"], judge, stopping=rule), *given, seed=seed)
            for rule in (Never(), Decided())
        )
        saved += int((whole[1].simulations - early[1].simulations).sum())
        late = np.asarray(whole[1].done & ~early[1].done)
        bad = (beaten(x[1].tree.root, task.objective.bounds) for x in (whole, early))
        late = late | np.not_equal(*map(np.asarray, bad)).any(1)
        sure = (np.asarray(x[1].tree.root.settled) for x in (whole, early))
        late = late | np.not_equal(*sure).any(1)
        differ = np.asarray(whole[0].action != early[0].action)
        assert not (differ & ~late).any()
        changed += differ.sum()
    assert saved > 100 and changed < 10


def test_a_forced_action_takes_one_simulation():
    world = random_world(2)
    world.legal[:ROWS] = np.arange(ACTIONS) == 1
    world.over[:ROWS] = False
    task, judge = as_task(world)
    for rule in RULES.values():
        planner = TreeSearch(task, rule, judge, prove=False, stopping=Decided())
        decision, outcome = searched(planner, np.arange(ROWS), np.full(ROWS, 40))
        assert (decision.action == 1).all() and (outcome.simulations == 1).all()


def test_it_is_for_rules_that_answer_with_the_most_visited_action():
    task, judge = as_task(random_world(0))
    with pytest.raises(ValueError, match="Gumbel does not"):
        TreeSearch(task, "gumbel", judge, stopping=Decided())
    for bad in (-0.1, float("nan"), jnp.array([0.1, -1.0])):
        with pytest.raises(ValueError, match="cannot cost"):
            ValueOfComputation(bad)
    with pytest.raises(ValueError, match="minimum is 0"):
        ValueOfComputation(0.1, minimum=0)


# The value of computation.

ARMS, LENGTH = 4, 80


def gaussian_bandit(seed, spread=1.0):
    """Each simulation of an arm goes one node down a chain of its own, whose value is a draw."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=ARMS) * 0.7
    draws = (means[:, None] + spread * rng.normal(size=(ARMS, LENGTH))).astype(np.float32)
    n = 1 + ARMS * LENGTH
    child = np.zeros((n, ARMS), np.int32)
    place = 1 + np.arange(ARMS * LENGTH).reshape(ARMS, LENGTH)
    child[0] = place[:, 0]
    child[place] = np.minimum(place + 1, place[:, -1:])[:, :, None]
    legal = np.zeros((n, ARMS), bool)
    legal[0], legal[1:, 0] = True, True
    value = np.concatenate([np.zeros(1), draws.ravel()]).astype(np.float32)
    zeros = np.zeros((n, ARMS), np.float32)
    over = np.zeros(n, bool)
    world = World(child, zeros, legal, over, np.zeros(n, np.int32), zeros, value)
    return as_task(world), draws


def one_gain(means, a, s):
    """E[max(mean of a + s Z, best of the others)] - best of all, by quadrature."""
    rest = np.delete(means, a).max()

    def gain(z):
        return max(means[a] + s * z, rest) * stats.norm.pdf(z)

    kink = (rest - means[a]) / s
    parts = [-9, min(max(kink, -9), 9), 9]
    total = sum(integrate.quad(gain, *ends)[0] for ends in itertools.pairwise(parts))
    return total - means.max()


def spread_of(samples):
    return sum(((x - np.mean(x)) ** 2).sum() for x in samples)


def expected_changes(samples, n=None):
    """The standard deviation of the change of each mean by one more sample (the docstring's s)."""
    n = np.array([len(x) for x in samples]) if n is None else n
    common = spread_of(samples) / sum(len(x) - 1 for x in samples)
    v = np.array([(spread_of([x]) + common) / len(x) for x in samples])
    return np.sqrt(v / (n * (n + 1)))


def node(visits, q, **more):
    shape = np.shape(visits)
    fields = {
        "visits": visits,
        "q": q,
        "logits": np.zeros(shape),
        "child": np.ones(shape),
        "settled": np.zeros(shape, bool),
        "sign": np.ones(shape[0]),
        "value": np.zeros(shape[0]),
        "total": np.zeros(shape[0]),
        "count": np.sum(visits, 1),
        "chance": np.zeros(shape[0], bool),
        "low": np.zeros(shape[0]),
        "high": np.zeros(shape[0]),
    } | more
    kinds = {"settled": bool, "chance": bool}
    return NodeView(**{k: jnp.asarray(x, kinds.get(k, jnp.float32)) for k, x in fields.items()})


def standing(samples, visits=None, **more):
    """One row with these returns of each action; `visits` holds those of a tree carried over."""
    count = np.array([[len(x) for x in samples]])
    mean = np.array([[np.mean(x) for x in samples]])
    spread = np.array([[spread_of([x]) for x in samples]])
    view = node(count if visits is None else np.array([visits]), mean, **more)
    parts = (jnp.asarray(x, jnp.float32) for x in (count, mean, spread, view.visits))
    nothing = jnp.zeros(view.legal.shape, bool)
    return Standing(view, nothing, jnp.array([100]), Returns(*parts))


def test_the_gain_of_a_simulation_is_that_of_the_decision_it_may_change():
    rng = np.random.default_rng(0)
    for _ in range(12):
        sizes = rng.integers(2, 9, 4)
        samples = [rng.normal(rng.normal(), 0.5 + rng.random(), size=n) for n in sizes]
        means = np.array([np.mean(x) for x in samples])
        s = expected_changes(samples)
        true = [one_gain(means, a, s[a]) for a in range(4)]
        got = stopping.gains(standing(samples))[0]
        np.testing.assert_allclose(got, true, rtol=2e-4, atol=2e-7)
        carried = sizes + rng.integers(0, 30, 4)
        s = expected_changes(samples, carried)
        true = [one_gain(means, a, s[a]) for a in range(4)]
        got = stopping.gains(standing(samples, carried))[0]
        np.testing.assert_allclose(got, true, rtol=1e-3, atol=2e-7)


def test_nothing_is_gained_where_nothing_can_change():
    samples = [np.array([0.1, 0.9]), np.array([0.2, 0.7])]
    settled = np.array([[True, False]])
    got = stopping.gains(standing(samples, settled=settled))[0]
    assert got[0] == 0 and got[1] > 0
    forced = np.array([[0.0, -1e9]])
    assert (stopping.gains(standing(samples, logits=forced)) == 0).all()
    same = [np.array([0.5, 0.5]), np.array([0.2, 0.2])]
    assert (stopping.gains(standing(same)) == 0).all()


def test_an_action_never_tried_counts_at_the_value_of_its_node():
    tried = [np.array([0.4, 0.6, 0.5]), np.array([0.1, 0.3])]
    means, s = np.array([0.5, 0.2]), expected_changes(tried)
    for value, judged in ((0.45, 1), (0.45, 0)):
        parts = standing(tried).returns
        pad = lambda x: jnp.pad(x, ((0, 0), (0, 1)))  # noqa: E731
        returns = jax.tree.map(pad, parts)
        view = node([[3, 2, 0]], [[0.5, 0.2, 0.0]], value=[value], count=[5 + judged])
        place = Standing(view, jnp.zeros((1, 3), bool), jnp.array([9]), returns)
        others = np.append(means, value) if judged else means
        true = [one_gain(others, a, s[a]) for a in range(2)]
        got = stopping.gains(place)[0]
        np.testing.assert_allclose(got[:2], true, rtol=2e-4, atol=1e-12)
        assert got[2] == 0


def test_far_from_a_change_the_gain_is_still_right():
    z = np.array([0.0, -1.0, -3.0, -6.0, -10.0, 2.0])
    true = [integrate.quad(lambda x, z=z: (z + x) * stats.norm.pdf(x), -z, 40)[0] for z in z]
    np.testing.assert_allclose(stopping.expected_excess(jnp.asarray(z)), true, rtol=3e-3)


light = functools.partial(eqx.filter_jit, compiler_options=LIGHT)


@light
def planned(planner, limits):
    from deliberation.direct.tree_search.decider import plan

    seeds = jnp.zeros(ROWS, jnp.uint32)
    start = jnp.zeros(ROWS, jnp.int32)
    return plan(planner, planner.task.objective, start, limits, seeds, 127)


def stopped_by_hand(draws, order, cost, minimum, budget):
    """When a search that takes the arms in this order ends, by the docstring's formulas."""
    samples = [[] for _ in range(ARMS)]
    for taken, arm in enumerate(order[:budget]):
        enough = taken >= minimum and any(len(x) > 1 for x in samples)
        if enough and all(samples):
            s = expected_changes(samples)
            means = np.array([np.mean(x) for x in samples])
            rest = np.array([np.delete(means, a).max() for a in range(ARMS)])
            z = -np.abs(means - rest) / s
            density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
            if (s * (z * special.ndtr(z) + density)).max() < cost:
                return taken
        samples[arm].append(draws[arm, len(samples[arm])])
    return min(budget, len(order))


@pytest.mark.parametrize("backend", ["native", "jax"])
def test_a_gaussian_bandit_is_left_when_it_pays_no_more(backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    costs = np.array([0, *np.geomspace(1e-5, 0.2, ROWS - 2), 1e6])
    budget, minimum = 80, 10
    limits = Limits(jnp.full(ROWS, budget), jnp.full(ROWS, UNLIMITED))
    different = 0
    for seed in range(3):
        (task, judge), draws = gaussian_bandit(seed)
        rule = ValueOfComputation(jnp.asarray(costs), minimum)
        options = {"prove": False, "backend": backend}
        planner = TreeSearch(task, UCT(jnp.float32(1.0)), judge, stopping=rule, **options)
        decision, outcome = planned(planner, limits)
        taken = np.asarray(outcome.simulations)
        assert taken[0] == budget and taken[-1] == minimum
        np.testing.assert_array_equal(decision.spent.model_steps, taken)
        different += len(set(taken.tolist()))
        for row in range(ROWS):
            # The order of arms shows in the order of creation: each simulation makes a node.
            held = np.ascontiguousarray(outcome.tree.states[row, 1 : taken[row] + 1])
            order = (held.view(np.int32)[:, 0] - 1) // LENGTH
            samples = [draws[a, : (order == a).sum()] for a in range(ARMS)]
            kept = jax.tree.map(lambda x: x[row], outcome.returns)  # noqa: B023
            np.testing.assert_array_equal(kept.count, [len(x) for x in samples])
            np.testing.assert_allclose(kept.mean, [x.mean() for x in samples], atol=1e-5)
            spread = [spread_of([x]) for x in samples]
            np.testing.assert_allclose(kept.spread, spread, rtol=1e-4, atol=1e-5)
            if row == 0:
                whole = order
            np.testing.assert_array_equal(order, whole[: taken[row]])
            if 0 < row < ROWS - 1:
                assert taken[row] == stopped_by_hand(draws, whole, costs[row], minimum, budget)
        assert (np.diff(taken) <= 0).all()
    assert different > 15


def test_returns_are_the_same_whatever_runs_side_by_side():
    task, judge = as_task(random_world(5))
    kept = []
    for lanes in (1, 4, (3, 2)):
        rule = Gumbel(lanes=lanes)
        planner = TreeSearch(
            task, rule, judge, prove=False, stopping=ValueOfComputation(jnp.float32(0.0))
        )
        outcome = searched(planner, np.arange(ROWS), np.arange(ROWS) + 20)[1]
        kept.append(outcome.returns)
        np.testing.assert_allclose(outcome.returns.mean, outcome.tree.root.q, atol=1e-5)
    for other in kept[1:]:
        for name in ("count", "mean", "spread", "visits"):
            np.testing.assert_allclose(
                getattr(other, name), getattr(kept[0], name), rtol=1e-5, atol=1e-5
            )
    assert kept[0].count.sum() > 100
    np.testing.assert_array_equal(kept[0].count, kept[0].visits)


def test_nothing_is_kept_for_rules_that_do_not_ask():
    task, judge = as_task(random_world(5))
    for rule in (Never(), Decided()):
        outcome = searched(TreeSearch(task, "uct", judge, stopping=rule), [0] * ROWS, [9] * ROWS)[1]
        assert outcome.returns is None


@pytest.mark.parametrize("rule", [Decided(), ValueOfComputation(jnp.float32(0.02), minimum=4)])
def test_keeps_the_contract_of_deciders(rule):
    task, judge = as_task(random_world(4))
    check_decider(TreeSearch(task, "puct", judge, stopping=rule, reuse=True, capacity=64))


def test_a_carried_lead_counts():
    """With a tree carried over, fewer new simulations decide; the action stays the same."""
    task, judge = as_task(random_world(1))
    actions, steps = [], []
    keys = jax.random.split(jax.random.key(0), ROWS)
    for rule in (Never(), Decided()):
        planner = TreeSearch(
            task, RULES["puct"], judge, prove=False, stopping=rule, reuse=True, capacity=64
        )
        memory = TreeSearch(
            task, RULES["puct"], judge, prove=False, reuse=True, capacity=64
        ).decide(jnp.arange(ROWS), None, budget=30, key=keys)[1]
        budget = Budget(jnp.arange(ROWS))
        decision, _ = planner.decide(jnp.arange(ROWS), memory, budget=budget, key=keys)
        actions.append(np.asarray(decision.action))
        steps.append(np.asarray(decision.spent.model_steps))
    np.testing.assert_array_equal(*actions)
    assert (steps[1] <= steps[0]).all() and (steps[1] == 0).sum() > (steps[0] == 0).sum() + 4
