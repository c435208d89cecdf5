"""Alpha-beta against exact solutions, and what pruning by values saves and costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Budget, check_decider, misere
from deliberation.core.errors import NonFiniteError, UnsuitableTaskError
from deliberation.direct import AlphaBeta, Evaluation, Evaluator, RandomRollouts, solve
from deliberation.direct.classical import alpha_beta
from deliberation.direct.exact.solver import fingerprints
from deliberation.tasks import make_task

KEY = jax.random.key(0)
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Small programs run once or twice: compiling them fast matters more than running them fast."""
ROWS = 64


class Table(Evaluator):
    """The true value of every state, by its fingerprint, times `scale`, or of each `broken`."""

    prints: jax.Array
    values: jax.Array
    scale: jax.Array
    has_prior: bool = True
    passes: int = 1
    flops: float = 2.0

    def __call__(self, task, objective, state, live, seed):
        words = jax.vmap(task.fingerprint)(state)
        same = (words[:, None] == self.prints).all(-1)
        value = self.scale * (same * self.values).sum(-1)
        nothing = jnp.zeros((len(live), task.traits.actions))
        return Evaluation(nothing, value, jnp.zeros(len(live), jnp.int32))


@pytest.fixture(scope="module")
def worlds():
    found = {}
    for name, options in {
        "tic_tac_toe": {},
        "mnk": {"width": 4, "height": 4, "k": 4, "gravity": True},
    }.items():
        task = make_task(name, **options)
        found[name] = task, solve(task)
    return found


@pytest.fixture(autouse=True, scope="module")
def compile_lightly():
    light = eqx.filter_jit(alpha_beta._look.__wrapped__, compiler_options=LIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alpha_beta, "_look", light)
        yield


def searched(decider, states, budget, objective=None):
    rows = jax.tree.leaves(states)[0].shape[0]
    limits = Budget.of(budget).rows(rows)
    return alpha_beta.look(decider, objective, states, limits, jax.random.split(KEY, rows))


def late(task, solution, plies, rows=ROWS):
    """States from some ply on, so that searches stay small."""
    layer = solution.reachable(plies)
    live = np.flatnonzero(~layer.terminal)
    chosen = np.random.default_rng(0).choice(live, rows, replace=False)
    return jax.tree.map(lambda x: x[chosen], layer.states)


@pytest.mark.parametrize("name", ["tic_tac_toe", "mnk"])
def test_it_is_exact(worlds, name):
    task, solution = worlds[name]
    states = late(task, solution, 3 if name == "tic_tac_toe" else 8)
    decider = AlphaBeta(task)
    rows = np.arange(ROWS)
    for objective in (None, misere(task.objective)):
        truth = solution.under(objective)
        decision, faults, looked = searched(decider, states, 10**6, objective)
        np.testing.assert_array_equal(decision.value, truth.values(states))
        assert truth.optimal(states)[rows, np.asarray(decision.action)].all()
        assert bool(looked.exact.all()) and not np.isnan(faults).any()
    # Children are whole: a model step for each legal action.
    assert (np.asarray(decision.spent.model_steps) > np.asarray(looked.expansions)).all()


def test_it_cuts_what_minimax_would_look_at(worlds):
    task, solution = worlds["tic_tac_toe"]
    start = jax.tree.map(lambda x: x[:1], solution.reachable(0).states)
    decision, _, looked = searched(AlphaBeta(task), start, 10**6)
    assert decision.value[0] == 0 and bool(looked.exact[0])
    # Of 549,946 positions in the whole tree; every look counted.
    assert int(decision.spent.model_steps[0]) < 60_000


def test_it_keeps_its_budget_and_knows_when_it_is_exact(worlds):
    task, solution = worlds["tic_tac_toe"]
    states = late(task, solution, 3)
    decider = AlphaBeta(task)
    rows = jnp.arange(ROWS, dtype=jnp.int32)
    decision, _, looked = searched(decider, states, Budget(rows))
    compiled = alpha_beta._look._cached._cache_size()
    assert (np.asarray(looked.expansions) <= np.arange(ROWS)).all()
    exact = np.asarray(looked.exact)
    assert 0 < exact.sum() < ROWS
    truth = solution.values(states)
    np.testing.assert_array_equal(np.asarray(decision.value)[exact], truth[exact])
    capped, _, _ = searched(decider, states, Budget(1000, 9))
    assert (np.asarray(capped.spent.model_steps) <= 9).all()
    assert alpha_beta._look._cached._cache_size() == compiled
    even, _, _ = searched(decider, states, 0)
    legal = np.asarray(jax.vmap(task.legal)(states))
    np.testing.assert_allclose(even.weights, legal / legal.sum(1, keepdims=True), atol=1e-6)
    assert (np.asarray(even.spent.model_steps) == 0).all()


def test_playouts_of_its_judge_are_counted():
    task = make_task("connect_3_4x4")
    states = jax.vmap(task.init)(KEY[None])
    decider = AlphaBeta(task, RandomRollouts(2), depth=1)
    decision, _, _ = searched(decider, states, 1)
    # Four children; a game takes four moves more at least.
    assert np.asarray(decision.spent.model_steps)[0] >= 4 + 4 * 2 * 4


def test_true_values_need_one_ply_and_false_ones_cost_games(worlds):
    """Pruning by the truth saves expansions and errs nowhere; pruning by its contrary does."""
    task, solution = worlds["tic_tac_toe"]
    every = [jax.tree.map(jnp.asarray, solution.reachable(ply).states) for ply in range(4, 10)]
    prints = jnp.concatenate([jnp.asarray(fingerprints(task, s)) for s in every])
    values = jnp.concatenate([jnp.asarray(solution.values(s)) for s in every])
    states = late(task, solution, 4, 24)
    rows, truth = np.arange(24), solution.values(states)
    judges = {scale: Table(prints, values, jnp.float32(scale)) for scale in (1, -1)}
    full = AlphaBeta(task, judges[1])
    plain, _, plainly = searched(full, states, 10**6)
    np.testing.assert_array_equal(plain.value, truth)
    once, _, _ = searched(AlphaBeta(task, judges[1]), states, 1)
    np.testing.assert_array_equal(once.value, truth)
    assert solution.optimal(states)[rows, np.asarray(once.action)].all()
    wise, _, wisely = searched(AlphaBeta(task, judges[1], margin=0.5), states, 10**6)
    np.testing.assert_array_equal(wise.value, truth)
    assert int(wisely.expansions.sum()) < int(plainly.expansions.sum())
    assert not bool(wisely.exact[np.asarray(wisely.expansions) > 9].all())
    fool, _, _ = searched(AlphaBeta(task, judges[-1], margin=0.5), states, 10**6)
    assert (solution.optimal(states)[rows, np.asarray(fool.action)]).mean() < 0.9
    # With the full width, false values only cost time.
    slow, _, slowly = searched(AlphaBeta(task, judges[-1]), states, 10**6)
    np.testing.assert_array_equal(slow.value, truth)
    assert int(slowly.expansions.sum()) > int(plainly.expansions.sum())
    spent = np.asarray(plain.spent.network_evaluations)
    assert (spent > 0).all() and (spent <= np.asarray(plain.spent.model_steps)).all()
    np.testing.assert_allclose(plain.spent.flops, 2.0 * spent)


def test_the_contract_is_kept_with_one_player_too():
    check_decider(AlphaBeta(make_task("frozen_lake", slip=0.0, horizon=4)))


def test_a_lone_player_reaches_the_goal():
    lake = make_task("frozen_lake", slip=0.0, horizon=6)
    start = jax.vmap(lake.init)(jax.random.split(KEY, 1))
    decision, _, looked = searched(AlphaBeta(lake), start, 10**6)
    assert decision.value[0] == 1.0 and bool(looked.exact[0])
    nearer, _, looked = searched(AlphaBeta(lake, depth=5), start, 10**6)
    assert nearer.value[0] == 0.0 and not bool(looked.exact[0]) and int(looked.depth[0]) == 5


def test_what_cannot_be_searched_is_refused(worlds):
    for name in ("frozen_lake", "kuhn_poker"):
        with pytest.raises(UnsuitableTaskError, match="alpha-beta needs"):
            AlphaBeta(make_task(name))
    task, solution = worlds["tic_tac_toe"]
    with pytest.raises(ValueError, match="0 or more"):
        AlphaBeta(task, margin=float("nan"))
    broken = Table(jnp.zeros((1, 4), jnp.int32), jnp.ones(1), jnp.float32(jnp.nan))
    with pytest.raises(NonFiniteError, match="alpha-beta"):
        AlphaBeta(task, broken).decide(late(task, solution, 3), budget=50, key=KEY)
