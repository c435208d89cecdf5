"""The uniformly random policy: the baseline of all measurements."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .answering import CheckedDecider, Question, answer, uniform_weights
from .decider import Decision, Memory
from .task import State, Task


class UniformRandom(CheckedDecider):
    """Draws uniformly from the legal actions, or from the box of continuous ones.

    It neither searches nor learns, and so ignores the objective and the budget; it expects
    nothing: its values are 0.
    """

    pads: ClassVar[bool] = True
    task: Task

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """One draw a row."""
        return _draw(self.task, question.state, question.keys), question.memory


@eqx.filter_jit
def _draw(task: Task, state: State, keys: Key[Array, " batch"]) -> Decision:
    traits = task.traits
    legal = jax.vmap(task.legal)(state)
    live = ~jax.vmap(task.terminated)(state)
    if traits.discrete:
        action = jax.vmap(jax.random.categorical)(
            keys, jnp.where(legal, 0.0, -jnp.inf).astype(jnp.float32)
        )
    else:
        box = jax.vmap(lambda k: jax.random.uniform(k, traits.shape, jnp.float32))(keys)
        action = traits.low + box * (traits.high - traits.low)
    return answer(live, action, uniform_weights(legal), jnp.zeros(live.shape))
