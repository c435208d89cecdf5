"""REINFORCE: its gradient against that of the expected return, bits, the contract; it learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import Reinforce, train_reinforce
from deliberation.amortised._gradients import fresh_network
from deliberation.amortised.experience import first_states, restart
from deliberation.amortised.ppo import play
from deliberation.amortised.reinforce import _loss
from deliberation.core import check_decider, rollout
from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import optimal_return
from deliberation.tasks import make_task
from deliberation.tasks.pendulum import Pendulum

TINY = Reinforce(updates=3, rounds=2, environments=4, width=8)


def test_its_gradient_is_that_of_the_expected_return():
    # Two chains, worth 10 and 1: with odds p of the first, the slope of p 10 + (1 - p) 1 in the
    # first logit is 9 p (1 - p). Each journey is three actions, over which the loss is the mean.
    task, n = make_task("revaluation"), 20_000
    network = fresh_network(task, 8, 1, jax.random.key(0))
    bias = jnp.array([0.5, -0.5])
    actor = (
        network.actor[0],
        eqx.tree_at(lambda d: (d.w, d.b), network.actor[1], (jnp.zeros((8, 2)), bias)),
    )
    network = eqx.tree_at(lambda m: m.actor, network, actor)
    starts = first_states(task, n, jnp.uint32(1))
    _, batch, finished, over = play(
        task, task.objective, network, restart(starts), starts, jnp.uint32(2), steps=5,
        discount=1.0, trace=1.0,
    )  # fmt: skip
    np.testing.assert_array_equal(over, np.arange(5)[:, None] == np.full(n, 2))
    ends = jnp.broadcast_to(jnp.arange(5)[:, None] < 3, over.shape)
    returns = np.asarray(batch.target)[:3]
    np.testing.assert_allclose(returns, np.broadcast_to(finished[2], (3, n)), atol=1e-4)
    plain = Reinforce(entropy=0.0)
    slope = eqx.filter_grad(_loss)(network, batch, ends, task, plain).actor[1].b
    p = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(slope, [-3 * p * (1 - p), 3 * p * (1 - p)], atol=0.05)


def test_a_grid_is_learned_to_its_optimum():
    task = make_task("gridworld")
    policy, spent = train_reinforce(task, jax.random.key(0), Reinforce())
    played = 40 * 5 * 8 * task.traits.horizon
    assert spent.model_steps == spent.data == played and spent.fits == 40 * 5
    check_decider(policy)
    returns = rollout(task, policy, key=jax.random.key(1), batch=4).returns
    best = optimal_return(task)
    assert best is not None
    np.testing.assert_allclose(returns, best, rtol=1e-5)


def test_killed_and_repeated_trainings_give_the_same_bits(tmp_path):
    task, key = Pendulum(horizon=20), jax.random.key(4)
    whole, _ = train_reinforce(task, key, TINY)

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_reinforce(task, key, TINY, folder=tmp_path, watch=kill)
    again, _ = train_reinforce(task, key, TINY, folder=tmp_path)
    pairs = zip(jax.tree.leaves(whole.network), jax.tree.leaves(again.network), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="counts"):
        Reinforce(rounds=0)
    other = fresh_network(make_task("cartpole"), 8, 1, jax.random.key(0))
    with pytest.raises(UnsuitableTaskError, match="shape"):
        train_reinforce(make_task("gridworld"), jax.random.key(0), TINY, network=other)
