"""MuZero: its numbers, its targets against a plain loop, and that it learns to plan."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised.trial_and_error.experience import stops
from deliberation.core import check_decider, check_task
from deliberation.core.budget import Budget
from deliberation.core.errors import NonFiniteError, UnsuitableTaskError
from deliberation.core.play import rollout
from deliberation.hybrid import MuZero, MuZeroSettings, train_muzero
from deliberation.hybrid.learned_models.latent import LatentNetworks
from deliberation.hybrid.learned_models.muzero_learning import (
    Moments,
    draw_windows,
    returns,
    unrolled_loss,
)
from deliberation.hybrid.learned_models.scalars import Support, shrink, stretch
from deliberation.tasks import make_task
from deliberation.zoo import muzero as zoo_muzero

SETTINGS = MuZeroSettings(
    updates=60, lanes=48, plies=16, simulations=8, gradient_steps=24, batch_size=128, hasty=True
)
SHORT = replace(SETTINGS, updates=4)
KEY = jax.random.key(0)


def lake():
    return make_task("frozen_lake", slip=0.0, horizon=40)


@pytest.fixture(scope="module")
def trained():
    return train_muzero(lake(), key=KEY, settings=SETTINGS)


def test_shrink_is_the_papers_and_stretch_its_inverse():
    x = jnp.array([-500.0, -3.0, -1e-3, 0.0, 0.5, 8.0, 1e4])
    wanted = np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + 1e-3 * x
    np.testing.assert_allclose(shrink(x), wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(stretch(shrink(x)), x, rtol=2e-4, atol=1e-6)


def test_a_number_is_kept_by_two_neighbouring_atoms():
    support = Support(-2.0, 30.0, 17)
    x = jnp.array([-2.0, -0.3, 0.0, 7.7, 30.0, 99.0])
    weights = support.encode(x)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert int((weights > 0).sum(-1).max()) == 2
    means = support.mean(jnp.log(weights + 1e-12))
    np.testing.assert_allclose(means, np.minimum(x, 30), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="low < high"):
        Support(1.0, 1.0)


def plain_return(gain, sign, over, cut, strayed, value, gamma, steps, t):
    total, worth = 0.0, 1.0
    for i in range(t, t + steps):
        if i == len(gain) - 1 or strayed[i] or cut[i]:
            return total + worth * value[min(i, len(gain) - 1)]
        total += worth * gain[i]
        if over[i]:
            return total
        worth *= gamma * sign[i]
    return total + worth * value[min(t + steps, len(gain) - 1)]


def some_moments(length=12, lanes=3):
    rng = np.random.default_rng(0)
    flat = (length, lanes)
    numbers = rng.normal(size=(2, *flat)).astype(np.float32)
    over = rng.random(flat) < 0.25
    return Moments(
        observation=jnp.asarray(rng.normal(size=(*flat, 2)), jnp.float32),
        legal=jnp.ones((*flat, 4), bool),
        weights=jnp.full((*flat, 4), 0.25),
        action=jnp.asarray(rng.integers(0, 4, flat), jnp.int32),
        value=jnp.asarray(numbers[0]),
        gain=jnp.asarray(numbers[1]),
        sign=jnp.asarray(rng.choice([-1.0, 1.0], flat), jnp.float32),
        over=jnp.asarray(over),
        cut=jnp.asarray(over & (rng.random(flat) < 0.5)),
        strayed=jnp.asarray(rng.random(flat) < 0.15),
    )


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_returns_are_those_of_a_plain_loop(steps):
    moments = some_moments()
    found = returns(moments, 0.9, steps)
    columns = [
        np.asarray(getattr(moments, n)) for n in ("gain", "sign", "over", "cut", "strayed", "value")
    ]
    for lane in range(3):
        for t in range(12):
            wanted = plain_return(*(c[:, lane] for c in columns), 0.9, steps, t)
            assert found[t, lane] == pytest.approx(wanted, abs=1e-5)


def test_windows_stay_in_the_filled_part_and_end_with_the_episode():
    moments = some_moments()
    clock = jnp.broadcast_to(jnp.arange(12.0)[:, None], (12, 3))
    windows = draw_windows(moments, clock, jnp.int32(6), jax.random.key(1), 64, 3)
    assert float(windows.value[:, 0].min()) == 6 and float(windows.value[:, 0].max()) == 8
    live = np.asarray(windows.live)
    assert live[:, 0].all() and not live.all()
    assert (np.diff(live.astype(int), axis=1) <= 0).all()
    np.testing.assert_array_equal(windows.value[~live], 0)
    np.testing.assert_array_equal(windows.reward[~live[:, :3]], 0)


def test_what_would_have_followed_a_cut_is_not_taught():
    """Unknown from the action after a cut on, but not where the episode had truly ended before."""
    still = jax.tree.map(lambda x: jnp.zeros_like(x[:, :1]), some_moments(4))
    at = jnp.array([[False], [True], [True], [False]])
    for over, cut, known in (
        (at, at & False, [1, 1, 1, 1]),
        (at, at, [1, 1, 0, 0]),
        (at, at & jnp.array([[1], [0], [1], [1]], bool), [1, 1, 1, 1]),
    ):
        moments = eqx.tree_at(lambda m: (m.over, m.cut), still, (over, cut))
        windows = draw_windows(moments, jnp.ones((4, 1)), jnp.int32(4), KEY, 2, 3)
        np.testing.assert_array_equal(windows.known, jnp.array([known] * 2, bool))
    networks = LatentNetworks.of(lake(), key=KEY, latent=4, width=4)
    seen = jnp.zeros((2, *lake().observe(lake().init(KEY)).shape))
    taught = eqx.tree_at(lambda w: (w.observation, w.known), windows, (seen, windows.known))
    blind = eqx.tree_at(lambda w: w.known, taught, jnp.array([[True, True, False, False]] * 2))

    def lost(windows, wrong):
        windows = eqx.tree_at(
            lambda w: (w.value, w.reward),
            windows,
            (windows.value.at[:, 2:].add(wrong), windows.reward.at[:, 2:].add(wrong)),
        )
        return float(unrolled_loss(networks, windows, 1.0)[0])

    assert lost(blind, 0.5) == lost(blind, 0.0) and lost(taught, 0.5) != lost(taught, 0.0)


@pytest.mark.parametrize(
    ("name", "timeouts", "cut"),
    [("gridworld", False, False), ("gridworld", True, True), ("cartpole", False, True)],
)
def test_the_clock_ends_no_worth_where_it_only_cuts(name, timeouts, cut):
    """Episodes of 2 actions, in which nobody gets anywhere: all ends are the clock's."""
    settings = MuZeroSettings(
        updates=1, hasty=True, lanes=2, plies=5, simulations=1, unroll=1, length=8,
        batch_size=2, gradient_steps=1, latent=4, width=4, timeouts=timeouts,
    )  # fmt: skip
    task = make_task(name, horizon=2)
    carry = train_muzero(task, key=KEY, settings=settings).carry
    assert carry.moments.over[-5:, 0].tolist() == [False, True, False, True, False]
    np.testing.assert_array_equal(carry.moments.cut, carry.moments.over & cut)
    np.testing.assert_array_equal(carry.age, 1)


@pytest.mark.parametrize("name", ["frozen_lake", "cartpole"])
def test_in_the_zoo_the_clock_only_cuts_where_it_is_not_shown(monkeypatch, name):
    asked = []

    def train(task, *, settings, **options):
        asked.append(settings.timeouts)
        raise StopIteration

    monkeypatch.setattr(zoo_muzero, "train_muzero", train)
    task = make_task(name, **zoo_muzero.ZOO["tasks"][name])
    with pytest.raises(StopIteration):
        zoo_muzero.build(task, "smoke", KEY)
    early = task.init(KEY)
    late = eqx.tree_at(lambda s: s.time, early, jnp.int32(task.traits.horizon))
    batch = jax.tree.map(lambda x: x[None], late)
    _, cut = stops(task, batch, batch.time, timeouts=asked[0])
    assert bool(cut[0]) == np.array_equal(task.observe(early), task.observe(late))


def test_it_finds_the_shortest_way_over_the_ice(trained):
    decider, spent, history = trained.decider, trained.ledger, trained
    for budget in (0, 16):
        played = rollout(lake(), decider, key=KEY, batch=8, budget=budget)
        np.testing.assert_array_equal(played.returns, 1)
        np.testing.assert_array_equal(played.lengths, 6)
    assert history.metrics["score"][-1] > 0.5
    assert spent.data == 60 * 48 * 16 and spent.fits == 60 * 24


def test_search_in_the_learned_world_mends_a_broken_habit(trained):
    """Without the policy head, only looking ahead in the learned dynamics can find the goal."""
    decider = trained.decider
    head = decider.networks.predict.layers[-1]
    mute = eqx.tree_at(lambda h: h.w, head, head.w.at[:, :4].set(0.0))
    mute = eqx.tree_at(lambda h: h.b, mute, mute.b.at[:4].set(0.0))
    networks = eqx.tree_at(lambda n: n.predict.layers[-1], decider.networks, mute)
    broken = MuZero(lake(), networks, gamma=decider.gamma)
    habit = rollout(lake(), broken, key=KEY, batch=8, budget=0).returns.mean()
    searched = rollout(lake(), broken, key=KEY, batch=8, budget=32).returns.mean()
    assert habit < 0.5 < searched


def test_it_keeps_the_contract_and_counts_every_pass(trained):
    decider = trained.decider
    check_decider(decider, budget=4)
    check_task(decider.world, episodes=8)
    state = jax.vmap(lake().init)(jax.random.split(KEY, 8))
    steps = np.arange(8)
    spent = decider.decide(state, budget=Budget(jnp.arange(8)), key=KEY)[0].spent
    np.testing.assert_array_equal(spent.model_steps, steps)
    # One representation, a judgement of the root, and for each step the dynamics and a judgement.
    np.testing.assert_array_equal(spent.network_evaluations, 2 + 2 * steps)
    networks = decider.networks
    each = networks.step_flops + networks.predict.flops
    root = networks.represent.flops + networks.predict.flops
    np.testing.assert_allclose(spent.flops, root + steps * each, rtol=1e-6)
    broken = eqx.tree_at(lambda n: n.move.layers[0].b, networks, jnp.full(96, jnp.nan))
    with pytest.raises(NonFiniteError):
        MuZero(lake(), broken, gamma=decider.gamma).decide(state, key=KEY)


def test_a_killed_training_ends_with_the_same_bits(tmp_path):
    whole = train_muzero(lake(), key=KEY, settings=SHORT)

    def ends_early(step, metrics):
        return step == 2

    asked = {"key": KEY, "settings": SHORT, "folder": tmp_path}
    part = train_muzero(lake(), watch=ends_early, **asked)
    assert len(part.metrics["score"]) == 2
    again = train_muzero(lake(), **asked)
    done = train_muzero(lake(), **asked)
    for other in (again, done):
        for a, b in zip(jax.tree.leaves(whole.carry), jax.tree.leaves(other.carry), strict=True):
            if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
                np.testing.assert_array_equal(a, b)


def test_what_it_cannot_serve_is_refused(trained):
    with pytest.raises(UnsuitableTaskError, match="LatentNetworks"):
        MuZero(make_task("tic_tac_toe"), trained.decider.networks)
    with pytest.raises(ValueError, match="raise length"):
        MuZeroSettings(length=8)
