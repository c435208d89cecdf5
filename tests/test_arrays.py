"""Tasks from arrays against value iteration and backward induction in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_task, rollout
from deliberation.direct import (
    DynamicProgramming,
    TreeSearch,
    solve,
    uniform_return,
    value_iteration,
)
from deliberation.tasks import from_arrays

KEY = jax.random.key(0)


def random_process(seed, states=7, actions=3, follow=3, kind="sas"):
    """Random probabilities on a few states each, random rewards; the last state is an end."""
    rng = np.random.default_rng(seed)
    p = np.zeros((states, actions, states))
    for s in range(states - 1):
        for a in range(actions):
            p[s, a, rng.choice(states, follow, replace=False)] = rng.dirichlet(np.ones(follow))
    p[-1, :, -1] = 1
    shape = {"sas": (states, actions, states), "sa": (states, actions), "s": (states,)}[kind]
    r = rng.normal(size=shape)
    r[-1] = 0
    return p, r


def expected(p, r):
    """R[s, a] from any form of it."""
    if r.ndim == 1:
        return np.repeat(r[:, None], p.shape[1], 1)
    return r if r.ndim == 2 else (p * r).sum(-1)


def optimal(p, r, gamma, horizon=None):
    values = np.zeros(len(p))
    for _ in range(horizon or 10_000):
        values = (expected(p, r) + gamma * p @ values).max(1)
    return values


@pytest.mark.parametrize("kind", ["sas", "sa", "s"])
@pytest.mark.parametrize("seed", range(3))
def test_discounted_values_are_those_of_value_iteration(kind, seed):
    p, r = random_process(seed, kind=kind)
    truth = optimal(p, r, 0.9)
    for start in (0, 3, [0.5, 0, 0, 0.25, 0.25, 0, 0]):
        task = from_arrays(p, r, start=start, gamma=0.9)
        first = truth[start] if isinstance(start, int) else np.dot(start, truth)
        table = value_iteration(task)
        assert float(table.value) == pytest.approx(first, abs=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_values_with_a_horizon_are_those_of_backward_induction(seed):
    p, r = random_process(seed, follow=2)
    task = from_arrays(p, r, start=0, gamma=0.95, horizon=5)
    assert float(value_iteration(task).value) == pytest.approx(optimal(p, r, 0.95, 5)[0], abs=1e-4)
    assert task.traits.horizon == 5 and not task.traits.continuing


def test_without_chance_it_is_solved_and_searched():
    """A corridor with a short way that pays little and a long one that pays much."""
    p, r = np.zeros((5, 2, 5)), np.zeros((5, 2))
    for s in range(4):
        p[s, 0, 4], p[s, 1, min(s + 1, 3)] = 1, 1
    p[4, :, 4], r[:4, 0] = 1, [0.1, 0.1, 0.1, 5.0]
    task = from_arrays(p, r, start=0, horizon=10)
    assert task.traits.deterministic and solve(task).value == pytest.approx(5.0)
    played = rollout(task, TreeSearch(task, capacity=256), budget=200, key=KEY, batch=2)
    assert played.returns[:, 0].tolist() == [5.0, 5.0] and not played.truncated.any()


def test_play_is_optimal_and_continuing_play_is_cut():
    p, r = random_process(5)
    p[-1], r[-1] = p[0], 1.0  # no end is left
    task = from_arrays(p, r, gamma=0.9)
    played = rollout(task, DynamicProgramming(task), batch=512, key=KEY)
    assert played.truncated.all() and (played.lengths == task.traits.horizon).all()
    returns, error = played.returns[:, 0], played.returns[:, 0].std() / np.sqrt(512)
    assert abs(returns.mean() - optimal(p, r, 0.9).mean()) < 4 * error


@pytest.mark.parametrize("horizon", [None, 6])
@pytest.mark.parametrize("follow", [1, 3])
def test_the_contract_is_kept(horizon, follow):
    p, r = random_process(2, follow=follow)
    check_task(from_arrays(p, r, gamma=0.9, horizon=horizon), episodes=8)


def test_states_are_told_apart_and_ends_end():
    p, r = random_process(1)
    task = from_arrays(p, r)
    states, chances = task.starts()
    assert len(np.unique(jax.vmap(task.fingerprint)(states), axis=0)) == 7
    np.testing.assert_allclose(chances, [1 / 6] * 6 + [0])
    assert jax.vmap(task.terminated)(states).tolist() == [False] * 6 + [True]
    r[-1] = 1.0
    assert not jax.vmap(from_arrays(p, r).terminated)(states).any()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"transitions": np.ones((2, 3, 4))}, r"P\[s, a, s'\]"),
        ({"rewards": np.zeros((3, 7))}, r"R\[s\] \(7,\)"),
        ({"transitions": np.ones((7, 3, 7))}, r"P\[0, 0\] is .* must sum to 1"),
        ({"rewards": np.full(7, np.nan)}, "finite"),
        ({"gamma": 1.5}, "gamma=1.5"),
        ({"horizon": 0}, "horizon=0"),
        ({"start": 9}, "0 to 6"),
        ({"start": np.ones(7)}, "distribution over the 7 states"),
    ],
)
def test_what_is_no_process_is_refused(change, told):
    p, r = random_process(0)
    with pytest.raises(ValueError, match=told):
        from_arrays(**{"transitions": p, "rewards": r, **change})


def test_bounds_hold():
    p, r = random_process(3)
    low, high = from_arrays(p, r, gamma=0.5, horizon=2).objective.bounds
    assert low == pytest.approx(1.5 * r[p > 0].min()) and high == pytest.approx(
        1.5 * r[p > 0].max()
    )
    assert from_arrays(p, jnp.zeros(7)).objective.bounds == (0.0, 0.0)


@pytest.mark.parametrize("horizon", [1, 4])
def test_random_play_earns_what_numpy_says(horizon):
    """Discounted, and ended by the clock alone or by an end that is reached before it."""
    p, r = random_process(3)
    values = np.zeros(len(p))
    for _ in range(horizon):
        values = (expected(p, r) + 0.5 * p @ values).mean(1)
    found = uniform_return(from_arrays(p, r, start=0, gamma=0.5, horizon=horizon))
    assert found == pytest.approx(values[0], abs=1e-5) and abs(values[0]) > 0.05
