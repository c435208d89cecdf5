"""Plan-until-habit: the exact matrix of revaluation by depth, and exact expectations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optima import lake_transitions

from deliberation.amortised import MLP
from deliberation.core import Budget, check_decider, check_task
from deliberation.core.errors import NonFiniteError, TooLargeError, UnsuitableTaskError
from deliberation.direct import solve, value_iteration
from deliberation.hybrid import PlanUntilHabit, TableHabit, ValueNetworkHabit
from deliberation.hybrid.habits import plan_until_habit
from deliberation.tasks import make_task
from deliberation.tasks.diagnostic.revaluation import CONDITIONS

KEY = jax.random.key(0)
DEPTH = 5
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


@pytest.fixture(autouse=True, scope="module")
def compile_lightly():
    light = eqx.filter_jit(plan_until_habit._decide.__wrapped__, compiler_options=LIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_until_habit, "_decide", light)
        yield


def node(state):
    return state.node


def cell(state):
    return state.cell


def place(state):
    return state.place


def learned(task):
    """The habit that training under the usual objective would leave: its exact action values."""
    rewards = np.asarray(task.objective.rewards)
    nodes, branches = rewards.shape
    values = np.zeros(nodes * branches + 1)
    q = np.zeros((nodes * branches + 1, branches))
    for i in reversed(range(nodes)):
        q[i] = rewards[i] + values[branches * i + 1 : branches * i + 1 + branches]
        values[i] = q[i].max()
    return TableHabit(jnp.asarray(q, jnp.float32), node)


@pytest.fixture(scope="module")
def tree():
    task = make_task("reward_tree", depth=DEPTH)
    return task, PlanUntilHabit(task, learned(task), depth=DEPTH)


def at_root(task, rows):
    return jax.vmap(task.init)(jax.random.split(KEY, rows))


def by_depth(tree, **options):
    """P(switch) by the depth of the change (rows) and that of planning, 0 to `DEPTH` (columns)."""
    task, decider = tree
    budgets = jnp.array([decider.expansions(k) for k in range(DEPTH + 1)])
    found = []
    for depth in range(1, DEPTH + 1):
        decision, _ = decider.decide(
            at_root(task, DEPTH + 1),
            objective=task.revalued(depth, **options),
            budget=Budget(budgets),
            key=KEY,
        )
        found.append(np.asarray(decision.weights[:, 1]))
    return np.array(found)


def test_a_change_at_some_depth_is_followed_by_who_looks_so_far_and_nobody_else(tree):
    exact = np.arange(DEPTH + 1)[None] >= np.arange(1, DEPTH + 1)[:, None]
    np.testing.assert_array_equal(by_depth(tree), exact)
    compiled = plan_until_habit._decide._cached._cache_size()
    # The effective depth is the sum of a column: just the depth of planning.
    assert by_depth(tree).sum(0).tolist() == [0, 1, 2, 3, 4, 5]
    # Announced, equally large and irrelevant: nobody switches.
    np.testing.assert_array_equal(by_depth(tree, everywhere=True), 0)
    np.testing.assert_array_equal(by_depth(tree, gain=0.5), 0)
    assert plan_until_habit._decide._cached._cache_size() == compiled


def test_depths_cost_what_they_say(tree):
    task, decider = tree
    assert [decider.expansions(k) for k in range(4)] == [0, 1, 3, 7]
    budgets = jnp.array([0, 1, 2, 3, 7, 100], jnp.int32)
    decision, _ = decider.decide(at_root(task, 6), budget=Budget(budgets), key=KEY)
    steps = np.asarray(decision.spent.model_steps)
    assert steps.tolist() == [0, 2, 2, 6, 14, 62]
    capped, _ = decider.decide(at_root(task, 6), budget=Budget(100, 6), key=KEY)
    assert (np.asarray(capped.spent.model_steps) <= 6).all()
    np.testing.assert_array_equal(decision.value, 1.0)


def test_depth_limited_dynamic_programming_agrees(tree):
    """The same matrix from value iteration by sweeps, which knows nothing of habits."""
    task, _ = tree
    start = at_root(task, 1)
    for depth in range(1, DEPTH + 1):
        found = []
        for sweeps in range(1, DEPTH + 1):
            table = value_iteration(task, task.revalued(depth), sweeps=sweeps)
            found.append(int(np.argmax(table.action_values[table.find(start)[0]])))
        assert found == [int(k >= depth) for k in range(1, DEPTH + 1)]


def test_chance_is_expected_over_exactly():
    lake = make_task("frozen_lake")
    after, chances, rewards = lake_transitions(lake)
    rng = np.random.default_rng(0)
    cached = rng.random((16, 4)).astype(np.float32)
    decider = PlanUntilHabit(lake, TableHabit(jnp.asarray(cached), cell), depth=3)
    cells, start = np.array([0, 6, 8, 14]), lake.init(KEY)
    over = np.array([c in "HG" for c in "SFFFFHFHFFFHHFFG"])
    states = jax.vmap(lambda c: type(start)(c, jnp.int32(0)))(jnp.asarray(cells, jnp.int32))
    q = cached.astype(float)
    for k in range(4):
        decision, _ = decider.decide(states, budget=decider.expansions(k), key=KEY)
        np.testing.assert_allclose(decision.value, q[cells].max(1), rtol=1e-5)
        np.testing.assert_array_equal(decision.weights.argmax(1), q[cells].argmax(1))
        values = np.where(over, 0.0, q.max(1))
        q = (chances * (rewards + values[after.astype(int)])).sum(-1)


def test_a_deep_q_network_is_a_habit():
    """Its value head says what the best action is worth; its logits only by how much it leads."""
    lake = make_task("frozen_lake")
    network = MLP((4, 4, 4), 4, 8, 1, value_range=None, key=KEY)
    decider = PlanUntilHabit(lake, ValueNetworkHabit(network), depth=0)
    states = at_root(lake, 2)
    logits, value = network.batched(jax.vmap(lake.observe)(states))
    decision, _ = decider.decide(states, key=KEY)
    np.testing.assert_allclose(decision.value, value, atol=1e-6)
    np.testing.assert_array_equal(decision.action, logits.argmax(1))
    np.testing.assert_array_equal(decision.spent.network_evaluations, 1)


def test_two_players_each_want_their_own():
    task = make_task("tic_tac_toe")
    solution = solve(task)
    layer = solution.reachable(6)
    rows = np.flatnonzero(~layer.terminal)[::40]
    states = jax.tree.map(lambda x: jnp.asarray(x[rows]), layer.states)
    nothing = TableHabit(jnp.zeros((1, 9)), lambda s: jnp.int32(0))
    decider = PlanUntilHabit(task, nothing, depth=3)
    decision, _ = decider.decide(states, key=KEY)
    np.testing.assert_allclose(decision.value, solution.values(states), atol=1e-6)
    np.testing.assert_array_equal(np.asarray(decision.weights) > 0, solution.optimal(states))


def test_momennejads_conditions():
    """Reward, transition and no revaluation: planning (1, 1, 0), cached values (0, 0, 0)."""
    learnt = np.zeros((7, 2), np.float32)
    learnt[[0, 1, 3]] = [[10, 1], [10, 10], [10, 10]]
    learnt[[2, 4]] = 1
    answers = {}
    for name, options in CONDITIONS.items():
        task = make_task("revaluation", **options)
        decider = PlanUntilHabit(task, TableHabit(jnp.asarray(learnt), place), depth=3)
        budget = Budget(jnp.array([decider.expansions(3), 0]))
        decision, _ = decider.decide(at_root(task, 2), budget=budget, key=KEY)
        answers[name] = np.asarray(decision.weights[:, 1]).tolist()
    assert answers == {
        "reward revaluation": [1, 0],
        "transition revaluation": [1, 0],
        "control": [0, 0],
    }


def test_the_worlds_and_the_decider_keep_their_contracts(tree):
    check_task(make_task("reward_tree", depth=3, branches=3), episodes=8)
    check_task(make_task("revaluation", swap_successors=True, start="middle"), episodes=8)
    lake = make_task("frozen_lake", horizon=6)
    habit = TableHabit(jnp.arange(64.0).reshape(16, 4) % 7, cell)
    check_decider(PlanUntilHabit(lake, habit, depth=1))
    task, _ = tree
    root = task.init(KEY)
    for depth in (1, 4):
        assert float(task.revalued(depth).optimum(root)) == 2.0
        assert float(task.revalued(depth, everywhere=True).optimum(root)) == 3.0


def test_what_cannot_be_looked_through_is_refused(tree):
    habit = TableHabit(jnp.zeros((1, 2)), lambda s: jnp.int32(0))
    with pytest.raises(UnsuitableTaskError, match="expects over all that can happen"):
        PlanUntilHabit(make_task("kuhn_poker"), habit, depth=1)
    with pytest.raises(TooLargeError, match="Give a smaller depth"):
        PlanUntilHabit(make_task("frozen_lake"), habit, depth=6)
    task, decider = tree
    broken = eqx.tree_at(lambda d: d.habit.values, decider, decider.habit.values * jnp.nan)
    with pytest.raises(NonFiniteError, match="TableHabit"):
        broken.decide(at_root(task, DEPTH + 1), budget=1, key=KEY)
