"""A biased teacher, its lesson and a small network, shared by the tests of the amortised wing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from deliberation import Budget, Decider, Decision, Ledger, make_task
from deliberation import amortised as am

KEY = jax.random.key(7)
TTT = make_task("tic_tac_toe")


class Biased(Decider):
    """A stochastic teacher whose answer is a fixed table of preferences over legal actions."""

    task: object
    preference: jax.Array
    flaw: float = 0.0

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        legal = jax.vmap(self.task.legal)(state)
        live = ~jax.vmap(self.task.terminated)(state)
        weights = am.masked_softmax(jnp.broadcast_to(self.preference, legal.shape), legal)
        limit = Budget.of(1 if budget is None else budget).rows(len(live))[0]
        spent = Ledger(model_steps=limit * live)
        action = jnp.where(live, weights.argmax(-1), -1)
        value = jnp.where(live, 0.25 + self.flaw, 0.0)
        return Decision(action, weights, value, spent), memory


def small_net(task=TTT, width=32, **options):
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, KEY)).shape
    return am.MLP(shape, task.traits.actions, width, 1, key=KEY, **options)


@functools.cache
def positions():
    return am.random_positions(TTT, 300, KEY)


@functools.cache
def lesson():
    return am.collect(Biased(TTT, jnp.linspace(-1.0, 1.5, 9)), positions(), budget=3, key=KEY)


def same(a, b) -> bool:
    equal = jax.tree.map(lambda x, y: bool(np.array_equal(x, y)), a, b)
    return jax.tree.structure(a) == jax.tree.structure(b) and jax.tree.all(equal)
