"""The rules against published answers: Gumbel's exact triple, the halving, noise and playouts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_search as reference
from scipy import stats
from tables import as_task, bandit, run

from deliberation.core import noise
from deliberation.core.noise import pick_uniform
from deliberation.direct import Gumbel, RandomRollouts, TreeSearch
from deliberation.direct.playouts import random_playouts
from deliberation.direct.ties import best_action
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.tree import FORBIDDEN, LOGIT, NODE_SLOTS, VISITS, view

ROWS = 20_000
PI, Q = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.0, 1.0])
LARGE = {"value_scale": 1e3, "visit_offset": 1.0}
IDENTITY = {"value_scale": 1.0, "visit_offset": 0.0}
"""sigma(q) = max N * q, which is q while no action has more than one visit."""


def play(task, judge, roots, budget, **options):
    """Which action each row chose in a search of the paper's own, without proofs."""
    rule = Gumbel(**{k: jnp.float32(v) for k, v in options.items()}, rescale=False)
    planner = TreeSearch(task, rule, judge, prove=False)
    rows = jnp.broadcast_to(jnp.asarray(budget, jnp.int32), roots.shape)
    seeds = noise.seeds(jax.random.split(jax.random.key(8), len(roots)))
    limits = Limits(rows, jnp.full_like(rows, 2**31 - 1))
    return np.asarray(run(planner, task.objective, roots, limits, seeds, 8)[0].action)


@pytest.mark.parametrize(
    ("simulations", "sigma", "expected"),
    [(1, LARGE, 0.2), (2, LARGE, 0.4857), (2, IDENTITY, 0.338), (3, LARGE, 1.0)],
)
def test_gumbel_finds_the_best_as_often_as_published(simulations, sigma, expected):
    task, judge = bandit(Q, logits=np.log(PI))
    found = play(task, judge, jnp.zeros(ROWS, jnp.int32), simulations, noise=1.0, **sigma) == 2
    # 0.0005 for the rounding of the published numbers.
    low, high = stats.binom.interval(0.999, ROWS, expected)
    assert low / ROWS - 0.0005 <= found.mean() <= high / ROWS + 0.0005


def test_the_top_two_by_probability_alone_never_find_it():
    task, judge = bandit(Q, logits=np.log(PI))
    action = play(task, judge, jnp.zeros(ROWS, jnp.int32), 2, noise=0.0, **LARGE)
    assert (action == 0).all()  # it and action 1 are worth the same


def bandits(count, seed=0):
    """Many bandits of four actions in one task: node i is the i-th, the last node ends them all."""
    rng = np.random.default_rng(seed)
    end = count
    shape = (count + 1, 4)
    world = reference.World(
        np.full(shape, end, np.int32),
        rng.normal(size=shape).astype(np.float32),
        np.ones(shape, bool),
        np.arange(count + 1) == end,
        np.zeros(count + 1, np.int32),
        rng.normal(size=shape).astype(np.float32) * 2,
        np.zeros(count + 1, np.float32),
    )
    return world, *as_task(world)


@pytest.mark.parametrize("simulations", [1, 2, 5])
def test_gumbel_improves_on_its_prior(simulations):
    """E[q(A)] >= E_pi[q] on every bandit, with equality at one simulation."""
    world, task, judge = bandits(50)
    repeats = ROWS // 50
    roots = np.repeat(np.arange(50, dtype=np.int32), repeats)
    action = play(task, judge, jnp.asarray(roots), simulations, noise=1.0, **LARGE)
    weights = np.exp(world.logits[:50])
    prior = (weights / weights.sum(1, keepdims=True) * world.reward[:50]).sum(1)
    got = world.reward[roots, action].reshape(50, repeats)
    error = got.std(1) / np.sqrt(repeats)
    assert (got.mean(1) - prior > -4 * error - 1e-6).all()
    gain = (got.mean(1) - prior).mean()
    best = (world.reward[:50].max(1) - prior).mean()
    low, high = {1: (-0.03, 0.03), 2: (0.2 * best, 0.9 * best), 5: (best - 1e-3, best + 1e-3)}[
        simulations
    ]
    assert low < gain < high


@pytest.mark.parametrize("width", [1, 3])
def test_the_halving_equals_the_published_sequence(width):
    """Every number of considered actions up to 16 and every budget up to 64, in lanes or not."""
    legal, budget = (jnp.asarray(x.reshape(-1)) for x in np.mgrid[1:17, 1:65])
    rows, rule = jnp.arange(len(legal))[:, None], Gumbel()
    logits = jnp.where(jnp.arange(16) < legal[:, None], 0.0, FORBIDDEN)
    edges = jnp.zeros((len(legal), 4, 16)).at[:, LOGIT].set(logits)
    nodes = jnp.zeros((len(legal), NODE_SLOTS))

    def simulate(carry, _):
        edges, state = carry
        forced, state = rule.next_lanes(view(edges, nodes, False), state, width)
        on = forced >= 0
        before = jnp.where(on, edges[rows, VISITS, forced], -1)
        edges = edges.at[rows, VISITS, jnp.where(on, forced, 16)].add(1, mode="drop")
        return (edges, state), before

    seeds = jnp.arange(len(legal), dtype=jnp.uint32)
    start = rule.begin(view(edges, nodes, False), budget.astype(jnp.int32), seeds)
    _, visits = jax.lax.scan(simulate, (edges, start), None, 64)
    visits = np.asarray(visits).swapaxes(0, 1).reshape(len(legal), -1)
    for row, (m, n) in enumerate(zip(legal.tolist(), budget.tolist(), strict=True)):
        taken = visits[row][visits[row] >= 0][:n]
        assert taken.tolist() == reference.considered_visits(m, n), (m, n)


def test_the_published_sequence_itself():
    assert reference.considered_visits(4, 8) == [0, 0, 0, 0, 1, 1, 2, 2]
    assert reference.considered_visits(1, 3) == [0, 1, 2]
    halved = reference.considered_visits(16, 64)
    assert [halved.count(v) for v in range(11)] == [16, 8, 8, 4, 4, 4, 4, 2, 2, 2, 2]


def test_noise_equals_its_definition():
    seeds = np.random.default_rng(0).integers(0, 2**32, 50, dtype=np.uint32)
    mixed = noise.mix(jnp.asarray(seeds), 3, jnp.arange(50))
    expected = [reference.mix(int(s), 3, i) for i, s in enumerate(seeds)]
    assert mixed.tolist() == expected
    assert noise.uniform(mixed).tolist() == [reference.uniform(s) for s in expected]
    gumbel = [reference.gumbel(s) for s in expected]
    np.testing.assert_allclose(noise.gumbel(mixed), gumbel, rtol=1e-5, atol=1e-5)


def test_noise_is_finite_at_both_ends():
    ends = jnp.array([0, 1, 2**32 - 2, 2**32 - 1], jnp.uint32)
    assert np.isfinite(noise.gumbel(ends)).all()
    assert noise.uniform(ends).min() == 0
    assert noise.uniform(ends).max() < 1


def test_gumbel_noise_is_gumbel():
    seeds = noise.mix(jnp.uint32(5), jnp.arange(5000))
    assert stats.kstest(np.asarray(noise.gumbel(seeds)), "gumbel_r").pvalue > 0.01


@pytest.mark.parametrize("actions", [5, 40])
def test_random_play_is_uniform_over_legal_actions(actions):
    """The unrolled and the wide way of picking, both from counter-based noise."""
    legal = np.arange(actions) % 5 != 1
    u = noise.uniform(noise.mix(jnp.uint32(3), jnp.arange(ROWS)))
    action = np.asarray(pick_uniform(jnp.broadcast_to(legal, (ROWS, actions)), u))
    counts = np.bincount(action, minlength=actions)
    assert (counts[~legal] == 0).all()
    assert stats.chisquare(counts[legal]).pvalue > 0.01


def test_playouts_return_what_random_play_is_worth():
    world, task, _ = bandits(1)
    live, start = jnp.ones(ROWS, bool), jnp.zeros(ROWS, jnp.int32)
    seeds = noise.mix(jnp.uint32(1), jnp.arange(ROWS))
    one = random_playouts(task, task.objective, start, live, seeds)
    total, plies = one.returns[:, 0], one.steps
    share = [np.isclose(total, r).mean() for r in world.reward[0]]
    assert stats.chisquare(np.array(share) * ROWS).pvalue > 0.01
    assert (plies == 1).all()
    many = RandomRollouts(4)(task, task.objective, start[:999], live[:999], seeds[:999])
    error = world.reward[0].std() / np.sqrt(4)
    assert abs(many.value.std() / error - 1) < 0.1
    assert abs(many.value.mean() - world.reward[0].mean()) < 0.15 * error
    assert (many.model_steps == 4).all()


def test_ties_are_broken_evenly():
    scores = jnp.broadcast_to(jnp.array([1.0, 2.0, 2.0, 2.0]), (ROWS, 4))
    counts = np.bincount(best_action(scores, noise.mix(jnp.uint32(2), jnp.arange(ROWS))))
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.01
