"""REINFORCE: its gradient against that of the expected return, bits, the contract; it learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from deliberation.amortised import Reinforce, train_reinforce
from deliberation.amortised.trial_and_error.gradients import fresh_network
from deliberation.amortised.trial_and_error.reinforce import begin_reinforce
from deliberation.core import check_decider, rollout
from deliberation.core.errors import UnsuitableTaskError
from deliberation.core.objective import Objective
from deliberation.core.task import Task, Traits
from deliberation.direct import optimal_return
from deliberation.tasks import make_task
from deliberation.tasks.control.pendulum import Pendulum
from deliberation.zoo import reinforce as zoo_reinforce

TINY = Reinforce(updates=3, rounds=2, environments=4, width=8)


class Dare(Task):
    """Every action earns 1; action 0 is the last, and so is the tenth."""

    @property
    def traits(self):
        return Traits(players=1, actions=2, horizon=10)

    @property
    def objective(self):
        return Each()

    def init(self, key):
        return Nerve(jnp.int32(0), jnp.bool_(False))

    def advance(self, state, action, key):
        return Nerve(state.time + 1, action == 0)

    def observe(self, state):
        return jnp.ones(1)

    def legal(self, state):
        return jnp.broadcast_to(~self.terminated(state), (2,))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state.lost | (state.time >= 10)


class Nerve(eqx.Module):
    time: jax.Array
    lost: jax.Array


class Each(Objective):
    def __call__(self, state, action, after):
        return jnp.ones(1)


def coin(task, logits, baseline):
    """A network that answers always the same."""
    network = fresh_network(task, 8, 1, jax.random.key(0))
    said = (jnp.zeros((8, 2)), jnp.array(logits), jnp.zeros((8, 1)), jnp.array([baseline]))
    return eqx.tree_at(
        lambda m: (m.actor[1].w, m.actor[1].b, m.critic[1].w, m.critic[1].b), network, said
    )


def learned(task, network, *, environments, steps=1):
    """The mean slope of some gradient steps, of which each is the first; and the metrics."""
    settings = Reinforce(
        rounds=1, environments=environments, discount=1.0, entropy=0.0, norm=1e9, anneal=False
    )
    carry, update = begin_reinforce(task, jax.random.key(1), settings, network=network)

    def once(step):
        after, metrics = update(eqx.tree_at(lambda c: c.step, carry, step))
        return after.optimiser[1].mu / 0.1, metrics  # Adam's mean moves by a tenth

    slopes, metrics = jax.lax.map(once, jnp.arange(steps))
    rebuild = ravel_pytree(eqx.filter(network, eqx.is_inexact_array))[1]
    return rebuild(slopes.mean(0)).actor[1].b, jax.tree.map(jnp.mean, metrics)


def test_its_gradient_is_that_of_the_expected_return():
    # Two chains, worth 10 and 1: with odds p of the first, the slope of p 10 + (1 - p) 1 in the
    # first logit is 9 p (1 - p). Each journey is three actions.
    task = make_task("revaluation")
    slope, metrics = learned(task, coin(task, [0.5, -0.5], 0.0), environments=20_000)
    p = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(slope, [-9 * p * (1 - p), 9 * p * (1 - p)], atol=0.1)
    np.testing.assert_allclose(metrics["return"], 9 * p + 1, atol=0.1)


@pytest.mark.parametrize(("environments", "steps", "baseline"), [(20_000, 1, 0.0), (4, 5000, 3.0)])
def test_short_episodes_do_not_count_for_more_than_long_ones(environments, steps, baseline):
    # With odds p of going on, the tenth action is the last at most: the return is the sum of p ** t
    # for t from 0 to 9, of which the slope in p, times p (1 - p), is that in the second logit.
    task, p, t = Dare(), 0.8, np.arange(10)
    network = coin(task, [0.0, float(np.log(p / (1 - p)))], baseline)
    slope, metrics = learned(task, network, environments=environments, steps=steps)
    wanted = (t[1:] * p ** t[:-1]).sum() * p * (1 - p)
    np.testing.assert_allclose(slope, [wanted, -wanted], atol=0.1)
    np.testing.assert_allclose(metrics["return"], (p**t).sum(), atol=0.1)


def test_a_grid_is_learned_to_its_optimum():
    task = make_task("gridworld")
    found = train_reinforce(task, key=jax.random.key(0), settings=Reinforce())
    policy, spent = found.decider, found.ledger
    played = 40 * 5 * 8 * task.traits.horizon
    assert spent.model_steps == spent.data == played and spent.fits == 40 * 5
    check_decider(policy)
    returns = rollout(task, policy, key=jax.random.key(1), batch=4).returns
    best = optimal_return(task)
    assert best is not None
    np.testing.assert_allclose(returns, best, rtol=1e-5)


def test_killed_and_repeated_trainings_give_the_same_bits(tmp_path):
    task, key = Pendulum(horizon=20), jax.random.key(4)
    whole = train_reinforce(task, key=key, settings=TINY)

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_reinforce(task, key=key, settings=TINY, folder=tmp_path, watch=kill)
    again = train_reinforce(task, key=key, settings=TINY, folder=tmp_path)
    pairs = zip(jax.tree.leaves(whole.network), jax.tree.leaves(again.network), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="counts"):
        Reinforce(rounds=0)
    other = fresh_network(make_task("cartpole"), 8, 1, jax.random.key(0))
    with pytest.raises(UnsuitableTaskError, match="shape"):
        train_reinforce(make_task("gridworld"), key=jax.random.key(0), settings=TINY, network=other)


def test_in_the_zoo_it_does_not_settle_on_a_policy_that_never_reaches_the_goal():
    """With an entropy bonus of 0.01 or 0.03 this seed ends at -0.8."""
    task = make_task("gridworld")
    made = zoo_reinforce.build(task, "quick", jax.random.key(3))
    assert rollout(task, made.decider, key=jax.random.key(1), batch=64).returns.mean() > 0.6
