"""A decider that needs no compiling: it takes the first legal action, and says so."""

import shlex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from deliberation.core import Decider, RootStatistics, Task, answer
from deliberation.zoo.naming import Named


@eqx.filter_jit
def _legal(task, state):
    return jax.vmap(task.legal)(state)


class First(Decider):
    task: Task

    def decide(self, state, memory=None, *, objective=None, budget=None, key=None):
        legal = np.asarray(_legal(self.task, state))
        action = legal.argmax(1)
        one = np.eye(legal.shape[1], dtype=np.float32)[action] * legal.any(1)[:, None]
        line = np.where(legal.any(1), action, -1)[:, None]
        root = RootStatistics(
            jnp.asarray(7 * one), jnp.asarray(0.5 * one), None, jnp.asarray(line, jnp.int32)
        )
        value = np.full(len(legal), 0.5, np.float32)
        return answer(legal.any(1), action, one, value, root=root), memory


def first(task, name, *_, **options):
    """In place of `named_decider`: whatever is asked for, nothing is made or trained."""
    return Named(name, First(task), None)


def examples(command):
    """The command lines in a command's help, without `deliberate`."""
    for line in command.epilog.splitlines():
        if line.strip().startswith("deliberate "):
            yield shlex.split(line)[1:]
