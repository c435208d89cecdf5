"""A learned value that prunes: fewer nodes, and errors where it is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_classical_search import layers

from deliberation.amortised import MLP
from deliberation.core import check_decider
from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import BestFirst, Evaluation, Evaluator, solve
from deliberation.direct.classical.best_first import pruned_best_first
from deliberation.hybrid import NetworkGuide, measure_pruning, value_pruned, value_pruned_best_first
from deliberation.tasks import make_task

KEY = jax.random.key(0)


class Values(Evaluator):
    """A table of values by node."""

    table: jax.Array
    has_prior: bool = True
    passes: int = 1
    flops: float = 1.0

    def __call__(self, task, objective, state, live, seed):
        nothing = jnp.zeros((len(live), task.traits.actions))
        return Evaluation(nothing, self.table[state], jnp.zeros(len(live), jnp.int32))


def test_best_first_pruned_by_the_truth_is_as_good_and_by_its_contrary_is_not():
    task, values = layers(11, 6.0)
    starts = jnp.arange(12, dtype=jnp.int32)
    plain, _ = BestFirst(task).decide(starts, key=KEY)
    np.testing.assert_allclose(plain.value, values[:12], atol=1e-5)
    steps = np.asarray(plain.spent.model_steps)
    for margin in (0.0, 1.0, np.inf):
        judge = Values(jnp.asarray(values, jnp.float32))
        wise, _ = pruned_best_first(task, judge, margin).decide(starts, key=KEY)
        np.testing.assert_allclose(wise.value, values[:12], atol=1e-5)
        fewer = np.asarray(wise.spent.model_steps)
        assert (fewer <= steps).all() and (margin < np.inf) == (fewer.sum() < 0.8 * steps.sum())
        asked = np.asarray(wise.spent.network_evaluations)
        # Every child is judged but those that end it.
        assert (asked > 0).all() and (asked <= fewer).all()
        np.testing.assert_allclose(wise.spent.flops, asked)
    judge = Values(jnp.asarray(-values, jnp.float32))
    fool, _ = pruned_best_first(task, judge, 0.0).decide(starts, key=KEY)
    assert (np.asarray(fool.value) <= values[:12] + 1e-5).all()
    assert np.asarray(fool.value).sum() < values[:12].sum() - 5


def test_what_pruning_saves_and_costs_is_measured():
    task = make_task("tic_tac_toe")
    solution = solve(task)
    layer = solution.reachable(5)
    rows = np.flatnonzero(~layer.terminal)[::24][:24]
    states = jax.tree.map(lambda x: jnp.asarray(x[rows]), layer.states)
    judge = NetworkGuide.of(task, MLP((3, 3, 2), 9, 16, 1, key=KEY))
    wide, tight = measure_pruning(
        task, judge, states, solution.action_values(states), margins=(np.inf, 0.0), key=KEY
    )
    # Without pruning nothing is saved and nothing is wrong, however bad the network is.
    assert wide.saved == 0 and not wide.wrong.any() and wide.errors.max() == 0
    assert 0 < tight.saved < 1 and tight.wrong.any()
    assert (tight.nodes <= tight.full).mean() > 0.9
    regret = solution.values(states)[tight.wrong] + 1
    assert (tight.errors[tight.wrong] <= regret + 1e-6).all()


def test_it_is_a_decider():
    task = make_task("connect_3_4x4")
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, KEY)).shape
    network = MLP(shape, 4, 8, 1, key=KEY)
    check_decider(value_pruned(task, network, margin=0.2, depth=3))
    with pytest.raises(UnsuitableTaskError, match="Build the network"):
        value_pruned(make_task("tic_tac_toe"), network, margin=0.2)
    with pytest.raises(UnsuitableTaskError, match="plans for one player"):
        value_pruned_best_first(task, network, margin=0.2)
