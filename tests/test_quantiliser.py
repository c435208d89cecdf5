"""Quantilisers keep Taylor's bound exactly, and best of n its known distribution."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import bandit

from deliberation.amortised import MLP, NetworkPolicy, masked_softmax
from deliberation.core import Budget, check_decider
from deliberation.core.errors import NonFiniteError, UnsuitableTaskError
from deliberation.direct import BestOfN, RandomRollouts
from deliberation.direct.control.best_of_n import chances, divergence
from deliberation.hybrid import Quantiliser, best_of_policy, quantilise
from deliberation.tasks import make_task

KEY = jax.random.key(0)


def divergence_of(p, base):
    kept = p > 0
    return (p[kept] * np.log(p[kept] / base[kept])).sum()


# Quantilisers


def kept_of(base, utility, q):
    return np.asarray(quantilise(jnp.asarray(base), jnp.asarray(utility), q))


def test_no_cost_grows_by_more_than_one_over_q():
    """For every cost that is one in some actions and nothing in others: the extreme ones."""
    rng = np.random.default_rng(0)
    costs = np.array(list(itertools.product((0.0, 1.0), repeat=6)))
    for q in (1.0, 0.5, 0.3, 0.1, 0.01):
        base = rng.dirichlet(np.ones(6), 50).astype(np.float32)
        utility = rng.normal(size=base.shape).astype(np.float32)
        kept = kept_of(base, utility, jnp.full(50, q)).astype(float)
        np.testing.assert_allclose(kept.sum(1), 1, atol=1e-5)
        assert (kept @ costs.T <= base @ costs.T / q * (1 + 1e-5) + 1e-6).all()
        # Some cost comes close: the bound is not kept by being timid.
        worst = ((kept @ costs.T) / np.maximum(base @ costs.T / q, 1e-9))[:, 1:].max(1)
        assert worst.mean() > (0.9 if q > 0.3 else 0.15)
        # Better actions first: nothing worse is kept while better is left.
        order = np.argsort(-utility, 1)
        share = np.take_along_axis(kept / base * q, order, 1)
        assert (np.diff(share, axis=1) <= 1e-4).all()


def test_the_divergence_is_the_log_of_one_over_q_where_the_edge_falls_between():
    base = np.full(8, 1 / 8, np.float32)
    utility = np.array([3, 1, 4, 1.5, 5, 9, 2, 6], np.float32)
    for kept in (1, 2, 4, 8):
        p = kept_of(base, utility, kept / 8)
        assert divergence_of(p, base) == pytest.approx(np.log(8 / kept), abs=1e-6)
        assert set(np.flatnonzero(p)) == set(np.argsort(-utility)[:kept])
    split = kept_of(base, utility, 3 / 16)
    np.testing.assert_allclose(np.sort(split)[-2:], [1 / 3, 2 / 3], atol=1e-6)
    assert divergence_of(split, base) < np.log(16 / 3)
    np.testing.assert_allclose(kept_of(base, base * 0, 0.25)[:2], 0.5)


def test_it_interpolates_between_the_base_policy_and_the_maximum():
    task, _ = bandit([0.1, 0.9, 0.5, 0.3])
    network = MLP((1,), 4, 8, 1, key=KEY)
    base = NetworkPolicy(task, network, greedy=False)
    states = jnp.zeros(4, jnp.int32)
    own, _ = base.decide(states, key=KEY)
    decider = Quantiliser(base, q=jnp.array([1.0, 0.6, 0.3, 1e-4]), budget=8)
    decision, _ = decider.decide(states, key=KEY)
    utility = np.array([0.1, 0.9, 0.5, 0.3], np.float32)
    for row, q in enumerate([1.0, 0.6, 0.3, 1e-4]):
        want = kept_of(own.weights[row], utility, q)
        np.testing.assert_allclose(decision.weights[row], want, atol=1e-5)
        np.testing.assert_allclose(decision.value[row], (want * utility).sum(), atol=1e-5)
    assert decision.action[3] == 1
    assert np.asarray(decision.spent.model_steps).tolist() == [8] * 4
    idle, _ = decider.decide(states, key=KEY, budget=0)
    np.testing.assert_allclose(idle.weights, own.weights)
    np.testing.assert_allclose(idle.value, own.value)
    assert np.asarray(decision.spent.network_evaluations).tolist() == [1] * 4
    for budget in (0, 3, Budget(100, 3)):
        alone, _ = decider.decide(states, key=KEY, budget=budget)
        np.testing.assert_allclose(alone.weights, own.weights, atol=1e-6)
    with pytest.raises(ValueError, match="share of the base"):
        Quantiliser(base, q=0.0)


def test_a_quantiliser_keeps_the_contract():
    task = make_task("kuhn_poker")
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, KEY)).shape
    network = MLP(shape, task.traits.actions, 8, 1, key=KEY)
    check_decider(Quantiliser(NetworkPolicy(task, network, greedy=False), q=0.4))


# Best of n


def test_the_divergence_of_best_of_n_is_the_published_one():
    known = {4: 0.636, 16: 1.835, 64: 3.175, 256: 4.549}
    scores = np.random.default_rng(0).permutation(2**11).astype(float)
    base = np.full(2**11, 2.0**-11)
    for n, nats in known.items():
        assert divergence(n) == pytest.approx(nats, abs=6e-4)
        # Of many equally likely answers that all differ, the distribution has just this.
        p = chances(base, scores, n)
        assert p.sum() == pytest.approx(1)
        assert divergence_of(p, base) == pytest.approx(divergence(n), rel=0.01)


def test_its_chances_are_those_of_all_draws():
    base = np.array([0.4, 0.3, 0.2, 0.1])
    scores = np.array([1.0, 3.0, 3.0, 2.0])
    for n in (1, 2, 4):
        want = np.zeros(4)
        for draws in itertools.product(range(4), repeat=n):
            best = max(draws, key=lambda a: scores[a])
            want[best] += base[list(draws)].prod()
        np.testing.assert_allclose(chances(base, scores, n), want, atol=1e-12)


def test_best_of_n_draws_from_the_base_and_keeps_the_best():
    payoffs, logits = [0.2, 0.9, 0.4, 0.7], [1.5, -1.0, 0.0, 0.5]
    task, judge = bandit(payoffs, logits)
    base = np.exp(logits) / np.exp(logits).sum()
    rows = 4000
    states = jnp.zeros(rows, jnp.int32)
    decider = BestOfN(task, judge, lanes=4)
    for n in (0, 1, 3, 8):
        decision, _ = decider.decide(states, key=jax.random.key(n), budget=n)
        want = chances(base, np.array(payoffs), max(n, 1))
        found = np.bincount(np.asarray(decision.action), minlength=4) / rows
        np.testing.assert_allclose(found, want, atol=4.5 * np.sqrt(0.25 / rows))
        assert (np.asarray(decision.spent.model_steps) == n).all()
        if n:
            got = np.array(payoffs)[np.asarray(decision.action)]
            np.testing.assert_allclose(decision.value, got, atol=1e-6)
        else:
            np.testing.assert_allclose(decision.weights[0], base, atol=1e-6)


def test_best_of_n_counts_and_sees_no_more_than_it_may():
    task = make_task("tic_tac_toe")
    network = MLP((3, 3, 2), 9, 8, 1, key=KEY)
    decider = best_of_policy(task, network, depth=1, lanes=4)
    check_decider(decider)
    states = jax.vmap(task.init)(jax.random.split(KEY, 3))
    decision, _ = decider.decide(states, budget=Budget(jnp.array([1, 5, 100]), 9), key=KEY)
    steps = np.asarray(decision.spent.model_steps)
    assert (steps <= [2, 9, 9]).all() and (steps >= [1, 4, 4]).all()
    # Its prior, and a look at the end of every step of every playout.
    np.testing.assert_array_equal(decision.spent.network_evaluations, 1 + steps)
    check_decider(BestOfN(make_task("kuhn_poker")))


def test_hidden_and_refused():
    with pytest.raises(UnsuitableTaskError, match="numbered"):
        BestOfN(make_task("pendulum"))
    with pytest.raises(ValueError, match="at least 1"):
        BestOfN(make_task("tic_tac_toe"), playouts=0)
    task, judge = bandit([float("nan"), 1.0])
    states = jnp.zeros(2, jnp.int32)
    with pytest.raises(NonFiniteError, match="BestOfN"):
        BestOfN(task, judge).decide(states, key=KEY, budget=64)
    base = NetworkPolicy(task, MLP((1,), 4, 8, 1, key=KEY), greedy=False)
    with pytest.raises(NonFiniteError, match="utility"):
        Quantiliser(base, RandomRollouts()).decide(states, key=KEY)


def test_masses_where_nothing_is_legal():
    nothing = masked_softmax(jnp.zeros((1, 3)), jnp.zeros((1, 3), bool))
    np.testing.assert_array_equal(quantilise(nothing, jnp.zeros((1, 3)), 0.5), 0)
