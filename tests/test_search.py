"""The tree search equals a plain reference search, keeps its budgets, and refuses bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_search as reference
from tables import (  # noqa: F401
    NODES,
    ROWS,
    SMALL,
    TableEvaluator,
    as_task,
    bandit,
    compile_lightly,
    full_speed,
    random_world,
    run,
)

from deliberation.core import Budget, check_decider, misere
from deliberation.core.budget import UNLIMITED
from deliberation.direct import (
    PUCT,
    UCT,
    Gumbel,
    NoEvaluation,
    RandomRollouts,
    TreeSearch,
    solve,
)
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.tree import CHILD, VISITS
from deliberation.tasks import make_task

RULES = {
    "uct": (UCT, reference.UCT, {"c": 0.7}),
    "puct": (PUCT, reference.PUCT, {"c": 0.4, "base": 20.0}),
    "gumbel": (Gumbel, reference.Gumbel, {}),
    "gumbel of 3": (
        functools.partial(Gumbel, considered=3, rescale=False),
        functools.partial(reference.Gumbel, considered=3, rescale=False),
        {"noise": 0.5, "value_scale": 0.3, "visit_offset": 2.0},
    ),
}


def rows_of(world, seed, most=40):
    """(roots, budgets, caps, seeds): terminal roots, budget 0 and tight caps among them."""
    rng = np.random.default_rng(seed)
    roots = rng.integers(0, 24, ROWS).astype(np.int32)
    caps = np.where(rng.random(ROWS) < 0.3, rng.integers(0, 30, ROWS), UNLIMITED)
    budgets = rng.integers(0, most, ROWS)
    noise = rng.integers(0, 2**32, ROWS, dtype=np.uint32)
    return roots, budgets.astype(np.int32), caps.astype(np.int32), noise


def search_rows(planner, roots, budgets, caps, noise):
    limits = Limits(jnp.asarray(budgets), jnp.asarray(caps))
    args = (planner.task.objective, jnp.asarray(roots), limits, jnp.asarray(noise))
    decision, outcome = run(planner, *args, 64)
    names = ("simulations", "model_steps", "sound", "done")
    found = {name: getattr(outcome, name) for name in names} | {"edges": outcome.tree.edges[:, 0]}
    return jax.tree.map(np.asarray, (decision, found))


@pytest.mark.parametrize("backend", ["native", "jax"])
@pytest.mark.parametrize("kind", ["real", "binary", "wins"])
@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize(
    ("name", "rollouts"), [*((rule, False) for rule in RULES), ("uct", True), ("gumbel", True)]
)
def test_equals_the_reference_search(name, rollouts, prove, kind, backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    fast, slow, options = RULES[name]
    rule = fast(**{k: jnp.float32(v) for k, v in options.items()})
    for seed in range(2):
        world = random_world(seed, players=1 + seed % 2, kind=kind)
        task, evaluator = as_task(world)
        if rollouts:
            evaluator = RandomRollouts()
        planner = TreeSearch(task, rule, evaluator, prove=prove, backend=backend)
        given = rows_of(world, seed)
        decision, outcome = search_rows(planner, *given)
        assert outcome["sound"].all()
        for row, (root, budget, cap, noise) in enumerate(
            zip(*(x.tolist() for x in given), strict=True)
        ):
            if world.over[root]:
                assert decision.action[row] == -1
                continue
            true = reference.search(
                world, root, slow(**options), budget, noise, prove=prove, rollouts=rollouts, cap=cap
            )
            got = jax.tree.map(lambda x: x[row], (decision, outcome))  # noqa: B023
            same_answer(*got, true, exact=kind != "real")


@pytest.mark.parametrize("name", ["uct", "puct", "gumbel"])
def test_what_is_proved_is_preferred_to_a_choice_of_less_mean_return(name):
    """However often that was visited, and however likely it was said to be."""
    world = random_world(0)
    world.reward[:], world.value[:], world.over[:-1], world.legal[:] = 0.0, 0.25, False, True
    world.player[:], world.logits[:] = 0, [0.0, 0.0, 2.0, 2.0]
    # Two actions end it at once, and one is better; the others lead on for longer than is looked.
    world.child[:] = np.minimum(np.arange(1, NODES + 1), NODES - 1)[:, None]
    world.child[0, :2], world.reward[0, :2] = NODES - 1, [0.5, 0.375]
    task, judge = as_task(world)
    rule, _, options = RULES[name]
    rule = rule(**{k: jnp.float32(64 if k == "c" else v) for k, v in options.items()})
    given = (np.zeros(ROWS, np.int32), *np.full((2, ROWS), 39, np.int32))
    planner = TreeSearch(task, rule, judge, backend="jax" if why_not_native() else "native")
    decision, outcome = search_rows(planner, *given, np.arange(ROWS, dtype=np.uint32))
    visits, proved = outcome["edges"][:, VISITS], outcome["edges"][:, CHILD] < 0
    assert proved[:, 0].all() and not outcome["done"].any()
    assert (visits[:, 2:].max(1) > visits[:, 0]).any()
    assert (decision.action == 0).all()
    assert (decision.weights[proved[:, 1], 1] == 0).all()


def same_answer(decision, outcome, true, exact):
    edges = outcome["edges"]
    np.testing.assert_array_equal(edges[0], true.root.visits)
    close = (
        np.testing.assert_array_equal
        if exact
        else functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-5)
    )
    close(edges[1], true.root.q)
    np.testing.assert_allclose(decision.weights, true.weights, atol=2e-5)
    assert decision.action == true.action
    assert outcome["done"] == true.proved
    assert outcome["simulations"] == true.simulations
    assert outcome["model_steps"] == decision.spent.model_steps == true.model_steps
    passes = 1 if decision.spent.flops else 0
    assert decision.spent.network_evaluations == passes * true.judged
    assert decision.spent.flops == 10 * passes * true.judged
    value = true.root.value if true.proved else true.root.mean
    assert decision.value == pytest.approx(value, abs=2e-5)


@functools.cache
def tic_tac_toe():
    solution = solve(make_task("tic_tac_toe"))
    states = [
        jax.tree.map(lambda x: x[~layer.terminal], layer.states)  # noqa: B023
        for layer in solution
    ]
    every = jax.tree.map(lambda *x: np.concatenate(x), *states)
    return solution, every


@pytest.mark.usefixtures("full_speed")
def test_no_regret_on_any_state_of_tic_tac_toe():
    solution, states = tic_tac_toe()
    planner = TreeSearch(solution.task, "uct", capacity=4096)
    assert len(states.ply) == 4520
    right = np.zeros(4520, bool)
    for first in range(0, 4520, 128):
        rows = np.resize(np.arange(first, min(first + 128, 4520)), 128)
        batch = jax.tree.map(lambda x: jnp.asarray(x[rows]), states)  # noqa: B023
        budget = Budget(jnp.where(batch.ply < 3, 4096, 1024))
        decision, _ = planner.decide(batch, budget=budget, key=jax.random.key(first))
        right[rows] = solution.optimal(batch)[np.arange(128), np.asarray(decision.action)]
    assert right.all()


@pytest.mark.usefixtures("full_speed")
def test_converges_without_proofs():
    solution, _ = tic_tac_toe()
    states = solution.sample(256, seed=3)
    planner = TreeSearch(solution.task, "uct", prove=False)
    regret = []
    for budget in (8, 1024):
        decision, _ = planner.decide(states, budget=budget, key=jax.random.key(0))
        q = solution.action_values(states)
        regret.append(np.mean(q.max(1) - q[np.arange(256), np.asarray(decision.action)]))
    assert regret[0] > 0.1
    assert regret[1] == 0


def test_another_objective_at_decision_time_changes_the_choice():
    changed = 0
    for seed in range(2):
        task, evaluator = as_task(random_world(seed, kind="wins"), plain=True)
        solution = solve(task)
        states = jnp.resize(solution.sample(8), 16)
        planner = TreeSearch(task, "uct", evaluator)
        actions = []
        for objective in (None, misere(task.objective)):
            decision, _ = planner.decide(
                states, objective=objective, budget=1024, key=jax.random.key(seed)
            )
            truth = solution.under(objective)
            chosen = np.asarray(decision.action)
            assert truth.optimal(states)[np.arange(16), chosen].all()
            actions.append(chosen)
        changed += (actions[0] != actions[1]).sum()
    assert changed > 0


@pytest.mark.parametrize("rule", ["uct", "gumbel"])
def test_each_row_is_searched_as_if_alone(rule):
    task, evaluator = as_task(random_world(5))
    planner = TreeSearch(task, rule, evaluator, **SMALL)
    roots, budgets, caps, _ = map(jnp.asarray, rows_of(None, 7))
    keys = jax.random.split(jax.random.key(4), ROWS)
    together, _ = planner.decide(roots, budget=Budget(budgets, caps), key=keys)
    for row in range(ROWS):
        one = slice(row, row + 1)
        budget = Budget(int(budgets[row]), int(caps[row]))
        alone, _ = planner.decide(roots[one], budget=budget, key=keys[one])
        assert alone.action[0] == together.action[row]
        np.testing.assert_allclose(alone.weights[0], together.weights[row], atol=1e-6)
        np.testing.assert_allclose(alone.value[0], together.value[row], atol=1e-6)
        assert alone.spent.model_steps[0] == together.spent.model_steps[row]


def test_a_small_cap_beside_a_large_budget_does_not_depend_on_the_room():
    """Simulations that end in a proved edge take no model step; the cap must end them too."""
    task, evaluator = bandit([1.0, 0.0])
    rows = jnp.zeros(2, jnp.int32)
    planner = TreeSearch(task, "uct", evaluator, prove=False, capacity=4)
    both, _ = planner.decide(
        rows, budget=Budget(jnp.array([500, 500]), jnp.array([7, 500])), key=jax.random.key(0)
    )
    limits = Limits(jnp.array([UNLIMITED]), jnp.array([7]))
    alone = run(planner, task.objective, rows[:1], limits, jnp.zeros(1, jnp.uint32), 64)[1]
    assert alone.simulations[0] == 7
    assert both.value[0] < both.value[1]
    assert both.spent.model_steps.tolist() == [2, 2]


def test_a_cap_on_model_steps_is_passed_by_one_simulation_at_most():
    task, _ = as_task(random_world(0))
    planner = TreeSearch(task, "uct", prove=False, **SMALL)
    start = jnp.zeros(32, jnp.int32)
    caps = jnp.arange(32)
    rows = Limits(jnp.full(32, UNLIMITED), caps)
    seeds = jnp.arange(32, dtype=jnp.uint32)
    outcome = run(planner, task.objective, start, rows, seeds, 64)[1]
    fewer = Limits(jnp.maximum(outcome.simulations - 1, 0), jnp.full(32, UNLIMITED))
    before = run(planner, task.objective, start, fewer, seeds, 64)[1]
    assert (outcome.simulations <= caps).all()
    assert ((outcome.model_steps >= caps) | (outcome.simulations == caps)).all()
    assert ((before.model_steps < caps) | (caps == 0)).all()


class Counting(TableEvaluator):
    """Counts how often a program that asks it is traced."""

    def __call__(self, task, objective, state, live, seed):
        traces.append(state.shape)
        return super().__call__(task, objective, state, live, seed)


traces = []


def test_budgets_are_data_and_grow_beyond_the_capacity():
    task, judge = as_task(random_world(2))
    judge = Counting(judge.logits, judge.value)
    start, key = jnp.zeros(3, jnp.int32), jax.random.key(1)

    def spend(budget, default=5):
        planner = TreeSearch(task, "uct", judge, budget=default, prove=False, capacity=8)
        decision, _ = planner.decide(start, budget=budget, key=key)
        return np.asarray(decision.weights) * 24

    spend(1)
    once = len(traces)
    for budget in (0, 2, 7, Budget(jnp.array([1, 0, 8])), Budget(8, 3)):
        spend(budget)
    spend(None, default=6)
    assert len(traces) == once
    grown = spend(24)
    assert len(traces) == 2 * once
    np.testing.assert_allclose(grown, np.round(grown), atol=1e-4)  # 24 visits were shared out
    spend(32)
    assert len(traces) == 2 * once


def test_budget_zero_answers_from_the_prior():
    rows, key = jnp.zeros(ROWS, jnp.int32), jax.random.key(0)
    budget = Budget(jnp.resize(jnp.array([0, 3]), ROWS))
    task, judge = bandit([1.0, 0.0, 0.0], logits=np.log([0.2, 0.7, 0.1]), value=0.25)
    for rule in ("uct", "puct", Gumbel(noise=0.0)):
        decision, _ = TreeSearch(task, rule, judge, **SMALL).decide(rows, budget=budget, key=key)
        assert decision.action.tolist() == [1, 0] * 8
        np.testing.assert_allclose(decision.weights[0], [0.2, 0.7, 0.1, 0], atol=1e-6)
        np.testing.assert_allclose(decision.value[::2], 0.25, atol=1e-6)
        assert (np.asarray(decision.spent.model_steps)[::2] == 0).all()


@pytest.mark.parametrize(
    ("rule", "evaluator"), [("uct", "rollouts"), ("puct", "nothing"), ("gumbel", "table")]
)
def test_keeps_the_contract_of_deciders(rule, evaluator):
    task, judge = as_task(random_world(4))
    judge = {"table": judge, "rollouts": RandomRollouts(2), "nothing": NoEvaluation()}[evaluator]
    check_decider(TreeSearch(task, rule, judge, **SMALL))
