"""Normalised observations and rewards: exact statistics, and learning what is badly scaled."""

import functools
from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

from deliberation import hybrid
from deliberation.amortised import (
    DQN,
    PPO,
    GaussianMLP,
    NetworkPolicy,
    Normalised,
    NormalisedGaussian,
    train_dqn,
    train_ppo,
)
from deliberation.amortised.networks.normalised import fresh_running, fresh_scales
from deliberation.amortised.trial_and_error.dqn import action_values
from deliberation.amortised.trial_and_error.normalising import Statistics
from deliberation.amortised.trial_and_error.recommended import RECOMMENDED
from deliberation.core import Objective, rollout
from deliberation.core.task import may_be_cut
from deliberation.tasks import list_tasks, make_task
from deliberation.tasks.bases import ChoosingTask

KEY = jax.random.key(0)
PAID = 1000.0


class Sign(eqx.Module):
    x: Float[Array, ""]
    time: Int[Array, ""]


class Paid(Objective):
    """A thousand for the action that tells the sign."""

    def __call__(self, state, action, after):
        return PAID * ((state.x > 0) == (action == 1))[None].astype(jnp.float32)


class Faint(ChoosingTask):
    """Say which of two signs is shown, once: by a hundredth, on top of a thousand."""

    actions: ClassVar[int] = 2
    horizon: int = eqx.field(static=True, default=1)

    @property
    def objective(self):
        return Paid()

    def init(self, key):
        return Sign(jnp.where(jax.random.bernoulli(key), 1.0, -1.0), jnp.int32(0))

    def advance(self, state, action, key):
        return Sign(state.x, state.time + 1)

    def observe(self, state):
        return (PAID + 0.01 * state.x)[None]

    def terminated(self, state):
        return state.time >= 1


NORMALISED = {"normalise_observations": True, "normalise_rewards": True, "hasty": True}
SETTINGS = PPO(
    updates=12, environments=16, steps=8, epochs=4, minibatches=2, width=8, depth=1, rate=2e-2,
    **NORMALISED,
)  # fmt: skip


@functools.cache
def learned():
    return train_ppo(Faint(), key=KEY, settings=SETTINGS)


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_running_statistics_are_those_of_the_whole_sample():
    rows = 5 + np.random.default_rng(0).normal(size=(7, 6, 2, 3)).astype(np.float32) * 3
    found = jax.jit(lambda x: jax.lax.scan(lambda s, b: (s.after(b), None), fresh_running(6), x)[0])
    found = found(rows)
    flat = rows.reshape(42, 6)
    assert float(found.count) == 42
    np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.variance, flat.var(axis=0), rtol=1e-5)
    scaled = found.normalise(jnp.asarray(rows), (2, 3), 1.5)
    exact = (flat - flat.mean(axis=0)) / flat.std(axis=0)
    np.testing.assert_allclose(scaled.reshape(42, 6), np.clip(exact, -1.5, 1.5), atol=1e-4)


def test_rewards_are_divided_by_the_deviation_of_the_return_so_far():
    rng = np.random.default_rng(1)
    steps, batch = 9, 4
    reward = rng.normal(size=(steps, batch)).astype(np.float32)
    over = rng.random((steps, batch)) < 0.2
    cut = over & (rng.random((steps, batch)) < 0.5)
    gain = np.where(over & ~cut, 0.0, 0.9).astype(np.float32)
    gain[:, 0] *= -1  # the opponent moves next
    fresh = Statistics(None, fresh_running(1), jnp.zeros(batch), limit=1.2)

    @jax.jit
    def follow(reward, gain, over):
        def step(now, given):
            now = now.earning(*given)
            return now, now.earn(given[0])

        return jax.lax.scan(step, fresh, (reward, gain, over))

    after, paid = follow(reward, gain, over)
    running, met = np.zeros(batch), []
    for t in range(steps):
        running = running + reward[t]
        met += running.tolist()
        expected = np.clip(reward[t] / np.sqrt(np.var(met) + 1e-8), -1.2, 1.2)
        np.testing.assert_allclose(paid[t], expected, rtol=1e-4)
        # A cut ends the episode too, whatever its last state is worth.
        running = np.where(over[t], 0.0, gain[t] * running)
    np.testing.assert_allclose(after.returns, running, rtol=1e-5, atol=1e-6)
    assert np.isfinite(paid).all() and np.abs(paid).max() <= 1.2


def test_a_badly_scaled_world_is_learned_and_valued_in_its_own_units():
    found = learned()
    played = rollout(Faint(), found.decider, key=jax.random.key(1), batch=64)
    assert played.returns.mean() == PAID
    state = jax.vmap(Faint().init)(jax.random.split(KEY, 4))
    decision, _ = found.decider.decide(state, key=KEY)
    np.testing.assert_allclose(decision.value, PAID, rtol=0.1)
    assert found.carry.statistics.observations.count == 12 * 16 * 8


def test_q_learning_values_a_badly_scaled_world_in_its_own_units():
    settings = DQN(
        updates=6, rounds=8, environments=16, steps=1, fits=8, batch=32, room=1024, warmup=64,
        width=8, depth=1, rate=3e-2, explore=0.3, **NORMALISED,
    )  # fmt: skip
    found = train_dqn(Faint(), key=KEY, settings=settings)
    seen = jnp.array([[PAID - 0.01], [PAID + 0.01]])
    q = action_values(found.network, seen, jnp.ones((2, 2), bool))
    np.testing.assert_allclose(q, PAID * np.eye(2), atol=0.15 * PAID)


def test_policies_that_normalise_come_back_with_their_statistics(tmp_path):
    found, task = learned(), Faint()
    hybrid.save(tmp_path, found)
    again = hybrid.load(tmp_path, search=False, task=task)
    assert isinstance(again, NetworkPolicy)
    assert same(eqx.filter(again.network, eqx.is_array), eqx.filter(found.network, eqx.is_array))
    state = jax.vmap(task.init)(jax.random.split(KEY, 8))
    a, b = (decider.decide(state, key=KEY)[0] for decider in (found.decider, again))
    assert same((a.action, a.weights, a.value), (b.action, b.weights, b.value))


def test_a_killed_training_goes_on_with_its_statistics(tmp_path):
    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ppo(Faint(), key=KEY, settings=SETTINGS, folder=tmp_path, watch=kill)
    again = train_ppo(Faint(), key=KEY, settings=SETTINGS, folder=tmp_path)
    assert same(again.carry, learned().carry) and same(again.network, learned().network)


def test_continuous_policies_see_normalised_and_value_in_the_tasks_units():
    inner = GaussianMLP((3,), (1,), width=4, depth=1, key=KEY)
    scales = fresh_scales((3,))
    seen = jnp.array([1.0, -2.0, 30.0])
    mean = jnp.array([0.0, 1.0, 2.0])
    scales = eqx.tree_at(lambda s: (s.observations.mean, s.value), scales, (mean, jnp.float32(7)))
    wanted = inner(jnp.clip(seen - mean, -4, 4))
    found = NormalisedGaussian(inner, scales, limit=4.0)(seen)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], 7 * wanted[2], rtol=1e-5)


def test_settings_are_recommended_for_tasks_that_exist():
    for kind in (PPO, DQN):
        known = RECOMMENDED[kind.__name__]
        assert known.keys() <= list_tasks().keys()
        for name, changes in known.items():
            found = kind.for_task(make_task(name))
            assert found == kind(**changes) == kind.for_task(name)
            assert may_be_cut(make_task(name)) and not found.timeouts
        assert kind.for_task(Faint()) == kind.for_task("go") == kind()
    shorter = make_task("mountain_car", horizon=50)
    assert PPO.for_task(shorter, updates=3) == replace(PPO.for_task("mountain_car"), updates=3)


@pytest.mark.parametrize("kind", [PPO, DQN])
def test_limits_that_leave_nothing_are_refused(kind):
    with pytest.raises(ValueError, match="limit > 0"):
        kind(limit=0.0)


def test_a_network_that_normalises_is_trained_on_with_its_own_statistics_or_refused():
    within = learned().network
    with pytest.raises(ValueError, match="statistics of its own"):
        train_ppo(Faint(), key=KEY, settings=SETTINGS, network=within)
    plain = replace(SETTINGS, updates=1, normalise_observations=False, normalise_rewards=False)
    again = train_ppo(Faint(), key=KEY, settings=plain, network=within)
    assert isinstance(again.network, Normalised) and same(again.network.scales, within.scales)
    assert not same(again.network.network, within.network)
