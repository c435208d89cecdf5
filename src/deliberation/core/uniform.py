"""Playing at random: what every other decider is measured above."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .answering import answer, checked_keys, uniform_weights
from .budget import Budget
from .decider import Decider, Decision, Memory
from .objective import Objective
from .task import State, Task


class UniformRandom(Decider):
    """Draws uniformly from the legal actions, or from the box of continuous ones.

    It neither searches nor learns, and so ignores the objective and the budget; it expects
    nothing: its values are 0.
    """

    task: Task

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """One draw a row."""
        del objective
        return _decide(self.task, state, checked_keys(self.task, state, budget, key)), memory


@eqx.filter_jit
def _decide(task: Task, state: State, keys: Key[Array, " batch"]) -> Decision:
    traits = task.traits
    legal = jax.vmap(task.legal)(state)
    live = ~jax.vmap(task.terminated)(state)
    if traits.discrete:
        action = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, 0.0, -jnp.inf))
    else:
        box = jax.vmap(lambda k: jax.random.uniform(k, traits.shape, jnp.float32))(keys)
        action = traits.low + box * (traits.high - traits.low)
    return answer(live, action, uniform_weights(legal), jnp.zeros(live.shape))
