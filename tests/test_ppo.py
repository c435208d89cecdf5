"""PPO: its estimates against sums written out, its policies against the contract; it learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from deliberation.amortised import (
    MLP,
    PPO,
    GaussianMLP,
    GaussianPolicy,
    TrainingDivergedError,
    train_ppo,
)
from deliberation.amortised.trial_and_error.actions import draw, judge
from deliberation.amortised.trial_and_error.gradients import fresh_network
from deliberation.amortised.trial_and_error.ppo import advantages
from deliberation.core import check_decider, rollout
from deliberation.core.errors import UnsuitableTaskError
from deliberation.core.objective import Objective
from deliberation.tasks import make_task
from deliberation.tasks.control.cartpole import CartPole
from deliberation.tasks.control.pendulum import Pendulum

TINY = PPO(updates=3, environments=4, steps=8, epochs=2, minibatches=2, width=8)


def leaves(policy):
    return jax.tree.leaves(eqx.filter(policy.network, eqx.is_array))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def test_advantages_are_the_sums_of_the_paper():
    rng = np.random.default_rng(0)
    reward, value, follow = rng.normal(size=(3, 6, 2))
    over = np.zeros((6, 2), bool)
    over[2, 0] = over[4, 1] = True
    gain = np.where(over, 0.0, 0.9) * np.array([1, -1])
    gain[4, 1] = -0.9  # cut by the clock: worth what follows, but the sum ends
    found = advantages(*map(jnp.asarray, (reward, gain, over, value, follow)), 0.7)
    for row in range(2):
        for t in range(6):
            total, worth = 0.0, 1.0
            for i in range(t, 6):
                total += worth * (reward[i, row] + gain[i, row] * follow[i, row] - value[i, row])
                if over[i, row]:
                    break
                worth *= gain[i, row] * 0.7
            np.testing.assert_allclose(found[t, row], total, rtol=1e-5)


def test_drawn_actions_have_the_probabilities_they_are_judged_by():
    task, n = make_task("tic_tac_toe"), 4000
    network = MLP((3, 3, 2), 9, width=8, key=jax.random.key(3))
    network = eqx.tree_at(lambda m: m.policy.w, network, network.policy.w * 30)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), n))
    state = jax.vmap(task.advance, (0, None, None))(state, jnp.int32(4), jax.random.key(0))
    seen, legal = jax.vmap(task.observe)(state), jax.vmap(task.legal)(state)
    action, raw, logp, value = draw(task, network, seen, legal, jnp.uint32(7))
    again, entropy, judged = judge(task, network, seen, legal, raw)
    np.testing.assert_allclose(logp, again, rtol=1e-5)
    np.testing.assert_allclose(value, judged, rtol=1e-5)
    assert not (np.asarray(action) == 4).any()
    every = judge(task, network, seen[:9], legal[:9], jnp.arange(9))[0]
    shares = np.bincount(np.asarray(action), minlength=9) / n
    np.testing.assert_allclose(shares, np.exp(every), atol=0.03)
    p = np.exp(every)[np.arange(9) != 4]
    np.testing.assert_allclose(entropy[0], -(p * np.log(p)).sum(), rtol=1e-4)


def test_gaussian_actions_have_the_density_they_are_judged_by():
    task, n = Pendulum(), 4000
    network = GaussianMLP((3,), (1,), width=8, log_sd=-0.5, key=jax.random.key(1))
    state = jax.vmap(lambda _: task.init(jax.random.key(0)))(jnp.arange(n))
    seen = jax.vmap(task.observe)(state)
    legal = jax.vmap(task.legal)(state)
    action, raw, logp, _ = draw(task, network, seen, legal, jnp.uint32(5))
    mean, log_sd, _ = network(seen[0])
    normal = scipy.stats.norm(float(mean[0]), float(np.exp(log_sd[0])))
    np.testing.assert_allclose(logp, normal.logpdf(np.asarray(raw[:, 0])), rtol=1e-4, atol=1e-5)
    assert scipy.stats.kstest(np.asarray(raw[:, 0]), normal.cdf).pvalue > 0.01
    np.testing.assert_allclose(action, np.clip(2 * np.asarray(raw), -2, 2), rtol=1e-6)
    np.testing.assert_allclose(judge(task, network, seen, legal, raw)[1][0], normal.entropy(), 1e-5)


@pytest.mark.parametrize("greedy", [True, False])
def test_gaussian_policies_keep_the_contract(greedy):
    task = Pendulum(horizon=20)
    network = GaussianMLP((3,), (1,), width=8, log_sd=1.0, key=jax.random.key(0))
    check_decider(GaussianPolicy(task, network, greedy=greedy))
    with pytest.raises(UnsuitableTaskError, match="numbered"):
        GaussianPolicy(CartPole(), network)
    with pytest.raises(UnsuitableTaskError, match="shape"):
        GaussianPolicy(task, GaussianMLP((4,), (1,), key=jax.random.key(0)))


def test_fresh_weights_are_orthogonal_and_hardly_prefer_any_action():
    network = fresh_network(CartPole(), 16, 2, jax.random.key(0))
    np.testing.assert_allclose(network.actor[1].w.T @ network.actor[1].w, 2 * np.eye(16), atol=1e-5)
    np.testing.assert_allclose(
        network.actor[-1].w.T @ network.actor[-1].w, 1e-4 * np.eye(2), atol=1e-8
    )
    np.testing.assert_allclose(network.critic[-1].w.T @ network.critic[-1].w, [[1.0]], rtol=1e-5)
    other = fresh_network(CartPole(), 16, 2, jax.random.key(1))
    assert not np.array_equal(other.actor[0].w, network.actor[0].w)


def test_cartpole_is_solved():
    task = CartPole()
    found = train_ppo(task, key=jax.random.key(0), settings=PPO(updates=40, timeouts=True))
    policy, spent = found.decider, found.ledger
    assert spent.model_steps == spent.data == 40 * 64 * 32
    assert spent.fits == 40 * 4 * 8
    check_decider(policy)
    played = rollout(task, policy, key=jax.random.key(1), batch=100)
    assert played.returns.mean() >= 475


def test_killed_and_repeated_trainings_give_the_same_bits(tmp_path):
    task, key = Pendulum(), jax.random.key(4)
    whole = train_ppo(task, key=key, settings=TINY)
    part = {**TINY.__dict__}

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ppo(task, key=key, settings=PPO(**part), folder=tmp_path, watch=kill)
    again = train_ppo(task, key=key, settings=PPO(**part), folder=tmp_path)
    assert same(whole, again)


def test_what_is_not_finite_stops_the_training():
    class Broken(Objective):
        def __call__(self, state, action, after):
            return jnp.where(after.time > 12, jnp.nan, 1.0)[None]

    with pytest.raises(TrainingDivergedError) as caught:
        train_ppo(Pendulum(), key=jax.random.key(0), settings=TINY, objective=Broken())
    assert caught.value.step == 1


@pytest.mark.parametrize(
    "bad", [{"minibatches": 3}, {"updates": 0}, {"discount": 0.0}, {"clip": 0.0}]
)
def test_senseless_settings_are_refused(bad):
    with pytest.raises(ValueError, match="PPO needs"):
        PPO(**bad)
