"""Random keys of every kind that JAX makes are taken, and what is no key is refused in words."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Budget, UniformRandom, check_decider, rollout
from deliberation.core.errors import BatchMismatchError, BudgetError, RandomKeyError
from deliberation.core.keys import as_typed_keys, one_key
from deliberation.core.noise import as_key, seeds
from deliberation.direct import TreeSearch
from deliberation.tasks import make_task

KINDS = ("threefry2x32", "rbg", "unsafe_rbg")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_keys_of_every_kind_become_threefry_keys(kind, make):
    if kind == "unsafe_rbg" and make is jax.random.PRNGKey:
        pytest.skip("raw, it looks as one of rbg")
    key = make(3, impl=kind)
    one, rows = as_typed_keys(key), as_typed_keys(key, 5)
    assert jax.random.key_impl(one) == jax.random.key_impl(rows) == "threefry2x32"
    assert (one.shape, rows.shape) == ((), (5,))
    assert len(np.unique(jax.random.key_data(rows), axis=0)) == 5
    several = jax.random.split(jax.random.key(3, impl=kind), 4)
    several = several if make is jax.random.key else jax.random.key_data(several)
    assert as_typed_keys(several, 4).shape == as_typed_keys(several).shape == (4,)
    with pytest.raises(BatchMismatchError, match="batch of 3"):
        as_typed_keys(several, 3)
    with pytest.raises(RandomKeyError, match="where one is needed"):
        one_key(several)


def test_raw_keys_are_read_as_the_typed_ones():
    raw, typed = jax.random.PRNGKey(7), jax.random.key(7)
    assert as_typed_keys(raw) == as_typed_keys(np.asarray(raw)) == typed
    assert (as_typed_keys(raw, 3) == jax.random.split(typed, 3)).all()
    assert (as_typed_keys(jax.random.split(raw, 3), 3) == jax.random.split(typed, 3)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_keys_seed_does_not_hang_on_the_keys_beside_it(kind):
    keys = jax.random.split(jax.random.key(0, impl=kind), 64)
    together = np.asarray(seeds(keys))
    assert together.tolist() == [int(seeds(k)) for k in keys]
    assert len(set(together.tolist())) == 64


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_become_keys_whatever_generator_is_the_default(kind):
    with jax.default_prng_impl(kind):
        keys = as_key(seeds(jax.random.split(jax.random.key(0), 3)))
        assert jax.random.key_impl(keys) == "threefry2x32" and keys.shape == (3,)


@pytest.mark.parametrize("bad", [0, None, "key", 1.5, [1, 2], jnp.zeros(2), jnp.zeros(3, "uint32")])
def test_what_is_no_key_is_refused(bad):
    with pytest.raises(RandomKeyError, match=r"make one with `jax\.random\.key"):
        as_typed_keys(bad)


@pytest.mark.parametrize("bad", ["64", None, [3], 2.0, True, np.float32(3)])
def test_what_is_no_budget_is_refused(bad):
    with pytest.raises(BudgetError, match="whole numbers"):
        Budget.of(bad)


@pytest.mark.parametrize("key", [jax.random.PRNGKey(0), jax.random.key(0, impl="rbg")])
def test_deciders_and_rollouts_take_every_key(key):
    task = make_task("tic_tac_toe")
    searcher = TreeSearch(task, "uct", capacity=16)
    played = rollout(task, [searcher, UniformRandom(task)], budget=8, batch=3, key=key)
    assert set(np.unique(played.returns)) <= {-1.0, 0.0, 1.0}
    check_decider(UniformRandom(task), key=key)
    start = task.init(as_typed_keys(key))
    assert not task.terminated(task.step(start, 4, key))


_CALLS = """
import jax
from deliberation.core import Budget, UniformRandom, rollout
from deliberation.core.errors import BudgetError, RandomKeyError
from deliberation.core.keys import as_typed_keys
from deliberation.direct import AlphaBeta, TreeSearch
from deliberation.tasks import make_task

task = make_task("tic_tac_toe")
state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 2))
for call, error in (
    (lambda: rollout(task, UniformRandom(task), key=0), RandomKeyError),
    (lambda: UniformRandom(task).decide(state, key=0), RandomKeyError),
    (lambda: TreeSearch(task).decide(state, key=0, budget=4), RandomKeyError),
    (lambda: task.step(task.init(jax.random.key(0)), 0, 0), RandomKeyError),
    (lambda: UniformRandom(task).decide(state, key=jax.random.key(0), budget="64"), BudgetError),
    (lambda: TreeSearch(task).decide(state, key=jax.random.key(0), budget="64"), BudgetError),
    (lambda: Budget(seconds="2"), BudgetError),
):
    try:
        call()
    except error as refusal:
        print(refusal)
    else:
        raise SystemExit("not refused")
for key in (jax.random.PRNGKey(0), jax.random.key(0, impl="rbg")):
    for decider in (UniformRandom(task), AlphaBeta(task, depth=2), TreeSearch(task, capacity=16)):
        for given in (key, jax.random.split(key, 2)):
            together, _ = decider.decide(state, budget=8, key=given)
            again, _ = decider.decide(state, budget=8, key=as_typed_keys(given, 2))
            assert together.action.tolist() == again.action.tolist()
"""


def test_users_are_told_what_to_give():
    """In a process of its own: here the annotations are checked, and refuse first."""
    done = subprocess.run(
        [sys.executable, "-c", _CALLS], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("key=0 is no random key") == 4
    assert done.stdout.count("in whole numbers; got '64'") == 2
