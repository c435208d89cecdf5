"""Search over histories equals a plain reference, looks at nothing hidden, and converges."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_histories as reference
from reference_histories import LIGHT, as_task, compile_lightly, random_world  # noqa: F401

from deliberation.core import Budget, check_decider
from deliberation.core.budget import UNLIMITED
from deliberation.direct import PUCT, UCT, Gumbel, HistorySearch, RandomRollouts
from deliberation.direct.partial_observation import history_search
from deliberation.direct.partial_observation.information import _absorb, find
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.tasks import make_task

plan = eqx.filter_jit(history_search.plan, compiler_options=LIGHT)
ROWS = 12

CASES = {
    "open loop, alone": ("uct", 1, 1, "actions", 1),
    "open loop, in turns": ("uct", 2, 1, "actions", 0),
    "own actions only": ("puct", 2, 2, "actions", 1),
    "states": ("puct", 1, 1, "states", 0),
    "a hidden type": ("gumbel", 1, 2, "histories", 2),
    "hidden hands": ("uct", 2, 2, "histories", 1),
    "hidden hands, judged": ("gumbel", 2, 2, "histories", 0),
    "three hands": ("uct", 3, 2, "histories", 2),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference_search(case):
    rule, players, types, nodes, rollouts = CASES[case]
    fast, options = {
        "uct": (UCT, {"c": 0.7}), "puct": (PUCT, {"c": 0.4, "base": 20.0}), "gumbel": (Gumbel, {}),
    }[rule]  # fmt: skip
    met = 0
    for seed in range(3):
        world = random_world(seed, players, types)
        task, judge = as_task(world)
        judge = RandomRollouts(rollouts) if rollouts else judge
        chosen = fast(**{k: jnp.float32(v) for k, v in options.items()})
        planner = HistorySearch(task, chosen, judge, nodes=nodes)
        rng = np.random.default_rng(seed)
        roots = reference.Hidden(
            jnp.asarray(rng.integers(0, 12, ROWS), jnp.int32),
            jnp.asarray(rng.integers(0, types, (ROWS, players)), jnp.int32),
        )
        budgets = rng.integers(0 if judge.has_prior else 1, 60, ROWS).astype(np.int32)
        caps = np.where(rng.random(ROWS) < 0.3, rng.integers(1, 30, ROWS), UNLIMITED)
        caps = caps.astype(np.int32)
        noise = rng.integers(0, 2**32, ROWS, dtype=np.uint32)
        limits = Limits(jnp.asarray(budgets), jnp.asarray(caps))
        got = plan(planner, task.objective, roots, limits, jnp.asarray(noise), 64)
        decision, outcome = jax.tree.map(np.asarray, got)
        assert not outcome.faults.any()
        for row in range(ROWS):
            n = int(roots.node[row])
            if world.over[n]:
                assert decision.action[row] == -1 and decision.spent.model_steps[row] == 0
                continue
            slow = reference.RULES[rule](**options)
            plain = reference.Search(world, slow, nodes, rollouts)
            state = (n, tuple(roots.types[row].tolist()))
            true = plain.run(state, int(budgets[row]), int(noise[row]), int(caps[row]))
            met += len(true.nodes)
            same_answer(jax.tree.map(lambda x: x[row], (decision, outcome)), true)  # noqa: B023
    assert met > 150


@pytest.mark.skipif(bool(why_not_native()), reason="no C++ compiler")
@pytest.mark.parametrize("case", CASES)
def test_both_back_ends_keep_the_same_nodes(case, monkeypatch):
    rule, players, types, nodes, rollouts = CASES[case]
    task, judge, roots, budgets, _ = rows_of(random_world(4, players, types), ROWS, 2)
    planner = HistorySearch(task, rule, RandomRollouts() if rollouts else judge, nodes=nodes)
    limits = Limits(budgets, jnp.full(ROWS, 90))
    found = []
    for name in ("native", "jax"):
        monkeypatch.setenv("DELIBERATION_BACKEND", name)
        program = eqx.filter_jit(lambda *x: history_search.plan(*x, 64), compiler_options=LIGHT)
        noise = jnp.arange(ROWS, dtype=jnp.uint32)
        got = program(planner, task.objective, roots, limits, noise)
        found.append(jax.tree.map(np.asarray, got))
    (one, native), (two, plain) = found
    for part in ("simulations", "model_steps", "evaluations", "faults", "stuck", "done"):
        np.testing.assert_array_equal(getattr(native, part), getattr(plain, part))
    np.testing.assert_array_equal(native.nodes.table, plain.nodes.table)
    np.testing.assert_array_equal(one.action, two.action)
    np.testing.assert_allclose(one.weights, two.weights, atol=2e-6)
    for row, table in enumerate(plain.nodes.table):
        used = table[table >= 0]
        for part in ("keys", "value", "span"):
            ours, theirs = (getattr(x.nodes, part)[row, used] for x in (native, plain))
            np.testing.assert_array_equal(ours, theirs)
        ours, theirs = native.nodes.edges[row, used], plain.nodes.edges[row, used]
        np.testing.assert_array_equal(ours[:, :2], theirs[:, :2])
        np.testing.assert_allclose(ours[:, 2], theirs[:, 2], rtol=2e-6, atol=1e-6)


def same_answer(got, true):
    decision, outcome = got
    edges = outcome.nodes.edges[0]
    np.testing.assert_array_equal(edges[0], true.root.visits)
    np.testing.assert_array_equal(edges[1], true.root.total)
    np.testing.assert_allclose(decision.weights, true.weights, atol=2e-5)
    assert decision.action == true.action
    assert outcome.simulations == true.simulations
    assert outcome.model_steps == decision.spent.model_steps == true.model_steps
    assert outcome.evaluations == (decision.spent.flops > 0) * true.judged
    assert (outcome.nodes.table >= 0).sum() == len(true.nodes)
    asked = outcome.nodes.judged
    value = (true.root.value * asked + true.root.total.sum()) / max(1, true.simulations + asked)
    assert decision.value == pytest.approx(value, abs=2e-5)


def rows_of(world, count, seed):
    """(task, judge, live roots, budgets, keys)."""
    rng = np.random.default_rng(seed)
    types = rng.integers(0, world.types, (count, world.players))
    nodes = rng.choice(np.flatnonzero(~world.over[:12]), count)
    roots = reference.Hidden(jnp.asarray(nodes, jnp.int32), jnp.asarray(types, jnp.int32))
    budgets = jnp.asarray(rng.integers(1, 60, count), jnp.int32)
    return *as_task(world), roots, budgets, jax.random.split(jax.random.key(seed), count)


def test_each_row_is_searched_as_if_alone():
    task, _, roots, budgets, keys = rows_of(random_world(5, 2), ROWS, 7)
    planner = HistorySearch(task, capacity=64)
    together, _ = planner.decide(roots, budget=Budget(budgets), key=keys)
    for row in range(0, ROWS, 3):
        state = jax.tree.map(lambda x: x[row : row + 1], roots)  # noqa: B023
        alone, _ = planner.decide(state, budget=int(budgets[row]), key=keys[row : row + 1])
        assert alone.action[0] == together.action[row]
        np.testing.assert_array_equal(alone.weights[0], together.weights[row])
        assert alone.value[0] == together.value[row]
        assert alone.spent.model_steps[0] == together.spent.model_steps[row]


@pytest.mark.parametrize("players", [2, 3])
def test_nothing_hidden_changes_anything(players):
    """Other types for the others, with the same keys: not even the last bit may change."""
    world = random_world(8, players)
    task, _, roots, budgets, keys = rows_of(world, ROWS, 3)
    planner = HistorySearch(task, capacity=64)
    movers = jnp.asarray(world.mover)[roots.node]
    others = jnp.arange(players) != movers[:, None]
    changed = eqx.tree_at(lambda s: s.types, roots, jnp.where(others, 1 - roots.types, roots.types))
    mine = eqx.tree_at(lambda s: s.types, roots, jnp.where(others, roots.types, 1 - roots.types))
    one, same, other = (
        planner.decide(state, budget=Budget(budgets), key=keys)[0]
        for state in (roots, changed, mine)
    )
    for part in ("action", "weights", "value"):
        np.testing.assert_array_equal(getattr(one, part), getattr(same, part))
    np.testing.assert_array_equal(one.spent.model_steps, same.spent.model_steps)
    assert (one.value != other.value).mean() > 0.5


traces = []


class Counting(reference.Table):
    """Counts how often a program that asks it is traced."""

    def __call__(self, task, objective, state, live, seed):
        traces.append(state.node.shape)
        return super().__call__(task, objective, state, live, seed)


def test_budgets_are_data_and_grow_beyond_the_capacity():
    task, judge, roots, _, keys = rows_of(random_world(2, 2), 3, 1)
    judge = Counting(judge.logits, judge.value)

    def spend(budget, default=5):
        planner = HistorySearch(task, "uct", judge, budget=default, capacity=8)
        return planner.decide(roots, budget=budget, key=keys)[0]

    spend(1)
    once = len(traces)
    for budget in (0, 2, 7, Budget(jnp.array([1, 0, 8])), Budget(8, 3)):
        spend(budget)
    spend(None, default=6)
    assert len(traces) == once
    shares = np.asarray(spend(24).weights) * 24
    assert len(traces) == 2 * once
    np.testing.assert_allclose(shares, np.round(shares), atol=1e-4)  # 24 visits were shared out
    spend(32)
    assert len(traces) == 2 * once


class Counts(UCT):
    """Keeps how many simulations it was asked for."""

    def begin(self, root, budget, seed):
        return jnp.zeros_like(budget)

    def next_lanes(self, root, schedule, width):
        return super().next_lanes(root, schedule, width)[0], schedule + 1


def test_rules_hear_of_each_rows_own_simulations():
    task, judge, roots, budgets, _ = rows_of(random_world(2, 2), ROWS, 1)
    limits = Limits(budgets, jnp.full(ROWS, UNLIMITED))
    planner = HistorySearch(task, Counts(), judge)
    seed = jnp.arange(ROWS, dtype=jnp.uint32)
    _, outcome = plan(planner, task.objective, roots, limits, seed, 64)
    np.testing.assert_array_equal(outcome.schedule, budgets)
    np.testing.assert_array_equal(outcome.simulations, budgets)


def test_a_capacity_holds_as_many_simulations():
    """All full: a history is found again in a table with as many nodes as it was made for."""
    task, _, roots, _, keys = rows_of(random_world(1, 3), 4, 2)
    small, large = (
        HistorySearch(task, capacity=capacity).decide(roots, budget=128, key=keys)[0]
        for capacity in (128, 1024)
    )
    np.testing.assert_array_equal(small.weights, large.weights)
    np.testing.assert_array_equal(small.value, large.value)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [("kuhn_poker", "histories"), ("blackjack", "actions"), ("frozen_lake", "states")],
)
def test_keeps_the_contract_of_deciders(name, nodes):
    check_decider(HistorySearch(make_task(name), nodes=nodes, capacity=32))


def test_histories_that_differ_have_different_names():
    """Of 200,000 histories, built as a search builds them, none share a name of 64 bits.

    Each of the two words alone is as good as chance: about n^2 / 2^33 = 5 shared.
    """
    rng = np.random.default_rng(0)
    words = np.unique(rng.integers(-2, 3, (200_000, 12)), axis=0).astype(np.int32)
    one_hot = np.eye(64, dtype=np.float32)[np.arange(64)].view(np.int32)
    names = jnp.full((len(words), 2), 7, jnp.uint32)
    for part in np.split(words, 4, axis=1):
        names = _absorb(names, jnp.asarray(part))
    names = np.asarray(names)
    assert len(words) > 190_000
    assert len(np.unique(names, axis=0)) == len(words)
    for lane in names.T:
        assert len(words) - len(np.unique(lane)) < 20
    spots = np.asarray(_absorb(jnp.full((64, 2), 7, jnp.uint32), jnp.asarray(one_hot)))
    assert len(np.unique(spots[:, 0])) == len(np.unique(spots[:, 1])) == 64


def test_the_table_finds_each_name_among_names_that_start_alike():
    """All start at one of three slots at the end of the table, so that probing wraps around."""
    rng = np.random.default_rng(1)
    size, count = 64, 32
    names = rng.integers(0, 2**32, (count, 2), dtype=np.uint32)
    names[:, 0] = names[:, 0] - names[:, 0] % size + rng.integers(size - 3, size, count)
    table, known, yes = np.full((1, size), -1), np.zeros((1, count, 2), np.uint32), np.ones(1, bool)
    look = jax.jit(find)
    for node, name in enumerate(names):
        found, slot = look(*map(jnp.asarray, (table, known, name[None], yes)))
        assert found[0] == -1 and table[0, slot[0]] == -1
        table[0, slot[0]], known[0, node] = node, name
    found = [look(*map(jnp.asarray, (table, known, name[None], yes)))[0] for name in names]
    assert np.ravel(found).tolist() == list(range(count))
