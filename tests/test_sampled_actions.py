"""Sampled actions: the correction is unbiased, the order and the widening are kept."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chances import as_task as as_odds
from chances import random_odds
from steering import Steering
from tables import TableEvaluator, as_task, compile_lightly, random_world, run  # noqa: F401

from deliberation.core.budget import UNLIMITED
from deliberation.direct import PUCT, UCT, FromPrior, Gumbel, NoEvaluation, Sampling, TreeSearch
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.models import sampled
from deliberation.direct.tree_search.models.sampled import (
    weigh,
    with_replacement,
    without_replacement,
)
from deliberation.direct.tree_search.tree import FORBIDDEN, log_prior

BACKENDS = ["jax"] if why_not_native() else ["native", "jax"]
PRIOR = np.array([0.5, 0.3, 0.15, 0.05])
PROPOSAL = np.array([0.1, 0.2, 0.3, 0.4])
LANES = 40_000
SEEDS = jnp.arange(LANES, dtype=jnp.uint32)


def drawn(draw, prior=PRIOR, proposal=PROPOSAL, count=3):
    """(which action is in which place, its weight) over many draws."""
    wide = (
        jnp.broadcast_to(jnp.log(jnp.asarray(p, jnp.float32)), (LANES, 4))
        for p in (prior, proposal)
    )
    found = jax.jit(draw, static_argnums=2)(*wide, count, SEEDS)
    return np.asarray(found.actions), np.exp(np.asarray(found.log_weights, np.float64))


def per_action(actions, weights):
    """The weight of each action in each set, [lanes, 4]."""
    return (weights[..., None] * (actions[..., None] == np.arange(4))).sum(1)


# Sampled MuZero's correction


def test_the_correction_is_unbiased_over_all_draws():
    """By brute force: the mean of (beta^ / beta) pi over all 4^3 draws of three is pi."""
    mean, total = np.zeros(4), 0.0
    for draws in itertools.product(range(4), repeat=3):
        chance = PROPOSAL[list(draws)].prod()
        actions, times = np.unique(draws, return_counts=True)
        weights = weigh(
            jnp.log(PRIOR[actions])[None], jnp.log(PROPOSAL[actions])[None], jnp.array(times)[None]
        )
        mean[actions] += chance * np.exp(np.asarray(weights)[0]) / 3
        total += chance
    assert total == pytest.approx(1)
    np.testing.assert_allclose(mean, PRIOR, rtol=1e-5)


def test_draws_with_replacement_are_merged_and_unbiased():
    actions, weights = drawn(with_replacement)
    used = weights > 0
    assert (np.diff(used.astype(int), axis=1) <= 0).all()  # the places in use come first
    for lane in range(50):
        kept = actions[lane][used[lane]]
        assert len(set(kept.tolist())) == len(kept)
    each = per_action(actions, weights) / 3
    error = each.std(0) / np.sqrt(LANES)
    assert (np.abs(each.mean(0) - PRIOR) < 4 * error).all()
    # Each draw is one of the multiples n / 3 of pi / beta.
    times = each * 3 * PROPOSAL / PRIOR
    np.testing.assert_allclose(times, np.round(times), atol=1e-4)
    np.testing.assert_allclose(times.sum(1), 3, atol=1e-4)
    # As often as independent draws would be: the first place is one draw.
    first = np.bincount(actions[:, 0], minlength=4) / LANES
    np.testing.assert_allclose(first, PROPOSAL, atol=4 * np.sqrt(0.25 / LANES))


def test_drawn_from_the_prior_itself_the_weights_are_the_shares_of_the_draws():
    _, weights = drawn(with_replacement, proposal=PRIOR)
    np.testing.assert_allclose(weights.sum(1) / 3, 1, rtol=1e-5)


def test_draws_without_replacement_are_different_and_unbiased():
    actions, weights = drawn(without_replacement)
    assert all(len(set(row)) == 3 for row in actions[:50].tolist())
    each = per_action(actions, weights)
    error = each.std(0) / np.sqrt(LANES)
    assert (np.abs(each.mean(0) - PRIOR) < 4 * error).all()
    first = np.bincount(actions[:, 0], minlength=4) / LANES
    np.testing.assert_allclose(first, PROPOSAL, atol=4 * np.sqrt(0.25 / LANES))


def test_no_more_actions_than_draws_are_all_drawn_with_their_prior():
    for count in (4, 9):
        actions, weights = drawn(without_replacement, count=count)
        assert (np.sort(actions, axis=1) == np.arange(4)).all()
        np.testing.assert_allclose(
            per_action(actions, weights), np.resize(PRIOR, (LANES, 4)), rtol=1e-5
        )


@pytest.mark.parametrize("replace", [True, False])
def test_what_is_illegal_is_never_drawn(replace):
    logits = jnp.log(jnp.asarray(PRIOR, jnp.float32)).at[1].set(FORBIDDEN)
    logits = jnp.broadcast_to(logits, (LANES, 4))
    found = FromPrior(2.0, replace)(as_task(random_world(0))[0], SEEDS, logits, 4, SEEDS)
    actions, weights = np.asarray(found.actions), np.exp(np.asarray(found.log_weights))
    each = per_action(actions, weights)
    assert (each[:, 1] == 0).all() and (each[:, 0] > 0).any()
    share = np.sqrt(PRIOR) * [1, 0, 1, 1]
    first = np.bincount(actions[:, 0], minlength=4) / LANES
    np.testing.assert_allclose(first, share / share.sum(), atol=4 * np.sqrt(0.25 / LANES))


def test_rounding_leaves_nothing_to_what_is_illegal(monkeypatch):
    """Running sums of thousands of probabilities also grow, by a little, where one is zero."""
    rng = np.random.default_rng(0)
    legal = rng.random(4096) < 0.5
    logits = jnp.where(legal, jnp.asarray(rng.normal(size=4096), jnp.float32), FORBIDDEN)
    wide = jnp.broadcast_to(log_prior(logits[None], jnp.asarray(legal)[None]), (4, 4096))
    total = np.asarray(jnp.cumsum(jnp.exp(wide), axis=-1))[0]
    every = np.arange(2**24, dtype=np.float32) * np.float32(2**-24)
    at = np.minimum(np.searchsorted(total, every * total[-1], side="right"), 4095)
    unlucky = every[~legal[at]]
    assert len(unlucky) > 0
    draws = jnp.asarray(np.resize(unlucky, 16))
    monkeypatch.setattr(sampled, "uniform", lambda seed: jnp.broadcast_to(draws, seed.shape))
    found = with_replacement(wide, wide, 16, SEEDS[:4])
    assert legal[np.asarray(found.actions)].all()


# The search


def rows_of(seed, roots=24):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 2**32, 16, dtype=np.uint32)
    limits = Limits(jnp.asarray(rng.integers(1, 50, 16), jnp.int32), jnp.full(16, UNLIMITED))
    return jnp.asarray(rng.integers(0, roots, 16), jnp.int32), limits, jnp.asarray(noise)


def answer(planner, states, limits, noise):
    decision, outcome = run(planner, planner.task.objective, states, limits, noise, 64)
    return jax.tree.map(np.asarray, (decision, outcome.tree))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["sure", "chance"])
def test_all_actions_without_replacement_are_the_full_search(kind, backend):
    for seed in range(3):
        if kind == "sure":
            task, judge = as_task(random_world(seed))
        else:
            world = random_odds(seed)
            task = as_odds(world)
            judge = TableEvaluator(jnp.asarray(world.logits), jnp.asarray(world.value))
        every = Sampling(8, FromPrior(replace=False))
        rows = rows_of(seed, 24 if kind == "sure" else 12)
        options = {"prove": False, "backend": backend}
        full, _ = answer(TreeSearch(task, PUCT(0.7), judge, **options), *rows)
        few, tree = answer(TreeSearch(task, PUCT(0.7), judge, sampling=every, **options), *rows)
        np.testing.assert_array_equal(few.action, full.action)
        np.testing.assert_allclose(few.weights, full.weights, atol=1e-6)
        np.testing.assert_allclose(few.value, full.value, atol=1e-5)
        assert few.candidates is None
        np.testing.assert_array_equal(few.spent.model_steps, full.spent.model_steps)
        # Edges are in the order of the draws, not in that of the actions.
        assert tree.edges.shape == (16, 65, 4, task.traits.actions if kind == "sure" else 4)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="there is one back end here")
@pytest.mark.parametrize("rule", [UCT(0.5), PUCT(1.0), Gumbel()], ids=["uct", "puct", "gumbel"])
def test_both_back_ends_agree(rule):
    task = Steering((2,))
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 16))
    sampling = Sampling(12, widening=(1.5, 0.5))
    trees = [
        answer(
            TreeSearch(task, rule, NoEvaluation(), sampling=sampling, backend=b),
            states,
            *rows_of(1)[1:],
        )
        for b in BACKENDS
    ]
    (one, first), (two, second) = trees
    np.testing.assert_array_equal(first.edges[:, :, [0, 3]], second.edges[:, :, [0, 3]])
    np.testing.assert_array_equal(first.states, second.states)
    np.testing.assert_allclose(one.action, two.action)


@pytest.mark.parametrize("backend", BACKENDS)
def test_widening_offers_the_first_few(backend):
    widths = Sampling(20, widening=(1.5, 0.5)).widths(300)
    exact = [min(20, int(np.ceil(1.5 * np.sqrt(n + 1)))) for n in range(300)]
    assert np.asarray(widths).tolist() == exact
    assert Sampling(20, widening=(0.1, 1.0)).widths(41).tolist() == [1] * 10 + [2] * 10 + [
        3
    ] * 10 + [4] * 10 + [5]
    assert Sampling(4).widths(9) is None
    task = Steering()
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 16))
    planner = TreeSearch(
        task, UCT(0.1), NoEvaluation(), sampling=Sampling(20, widening=(1.5, 0.5)), backend=backend
    )
    tried = [0]
    for offered in exact:  # what is offered and was never tried is tried at once
        tried.append(tried[-1] + (tried[-1] < offered))
    for budget in (1, 2, 40):
        limits = Limits(jnp.full(16, budget), jnp.full(16, UNLIMITED))
        _, tree = answer(planner, states, limits, jnp.arange(16, dtype=jnp.uint32))
        for node in range(2):
            visits = tree.edges[:, node, 0]
            total = visits.sum(-1).astype(int)
            assert ((visits > 0).sum(-1) == np.asarray(tried)[total]).all()
            offered = np.where(total > 0, np.asarray(exact)[np.maximum(total - 1, 0)], 0)
            assert (np.arange(20) < offered[:, None])[visits > 0].all()
            assert node or (total == budget).all()
