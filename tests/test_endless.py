"""Tasks whose episodes only the horizon ends: searches and playouts go no further than that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import compile_lightly  # noqa: F401

from deliberation.core import Objective, Task, Traits
from deliberation.core.noise import seeds
from deliberation.direct import AlphaBeta, BestOfN, HistorySearch, RandomRollouts, TreeSearch
from deliberation.direct.playouts import random_playouts
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.decider import plan
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.tree import PARENT

HORIZON, ROWS, BUDGET = 5, 3, 60
KEY = jax.random.key(0)


class Pay(Objective):
    """1 for each action, whatever it is."""

    def __call__(self, state, action, after):
        return jnp.ones(1)


class Endless(Task):
    """A counter that goes on for ever, by 1 or by 2."""

    @property
    def traits(self):
        return Traits(1, 2, HORIZON)

    @property
    def objective(self):
        return Pay()

    def init(self, key):
        return jnp.int32(0)

    def advance(self, state, action, key):
        return state + 1 + action

    def observe(self, state):
        return state[None].astype(jnp.float32)

    def legal(self, state):
        return jnp.ones(2, bool)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return jnp.bool_(False)


def test_a_playout_is_as_long_as_the_horizon():
    start = jnp.zeros(ROWS, jnp.int32)
    live = jnp.array([True, True, False])
    noise = seeds(jax.random.split(KEY, ROWS))
    found = random_playouts(Endless(), Pay(), start, live, noise)
    np.testing.assert_array_equal(found.returns[:, 0], [HORIZON, HORIZON, 0])
    np.testing.assert_array_equal(found.steps, [HORIZON, HORIZON, 0])


@pytest.mark.parametrize("backend", ["native", "jax"])
def test_no_path_of_a_search_is_longer_than_the_horizon(backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    task = Endless()
    planner = TreeSearch(task, "uct", RandomRollouts(), backend=backend)
    limits = Limits(jnp.full(ROWS, BUDGET, jnp.int32), jnp.full(ROWS, 2**31 - 1, jnp.int32))
    noise = seeds(jax.random.split(KEY, ROWS))
    start = jnp.zeros(ROWS, jnp.int32)
    decision, outcome = plan(planner, task.objective, start, limits, noise, 2 * BUDGET)
    assert (outcome.simulations == BUDGET).all()
    parent = np.asarray(outcome.tree.nodes[:, :, PARENT]).astype(int)
    for row, size in enumerate(np.asarray(outcome.tree.size)):
        depth = np.zeros(size, int)
        for node in range(1, size):
            depth[node] = depth[parent[row, node]] + 1
        assert depth.max() == HORIZON
    # Each action pays 1: a path and the playout from its end are as long as an episode together.
    np.testing.assert_array_equal(decision.value, np.full(ROWS, HORIZON))


@pytest.mark.parametrize("make", [HistorySearch, AlphaBeta])
def test_other_searches_look_no_further_than_the_horizon(make):
    options = {"depth": 2} if make is AlphaBeta else {"capacity": 32}
    planner = make(Endless(), evaluator=RandomRollouts(), budget=32, **options)
    decision, _ = planner.decide(jnp.zeros(ROWS, jnp.int32), key=KEY)
    np.testing.assert_array_equal(decision.value, np.full(ROWS, HORIZON))


def test_the_best_of_n_goes_no_further_than_the_horizon():
    start = jnp.zeros(ROWS, jnp.int32)
    decision, _ = BestOfN(Endless()).decide(start, budget=2, key=KEY)
    np.testing.assert_array_equal(decision.value, HORIZON)
    np.testing.assert_array_equal(decision.spent.model_steps, 2 * HORIZON)
