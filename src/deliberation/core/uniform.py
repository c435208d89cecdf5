"""Playing at random: what every other decider is measured above."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .budget import Budget
from .decider import Decider, Decision, Memory, row_keys
from .ledger import Ledger
from .objective import Objective
from .task import State, Task, batch_size, check_batch


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
        batch = batch_size(state)
        if budget is not None:
            Budget.of(budget).rows(batch)
        check_batch(self.task, state)
        return _decide(self.task, state, row_keys(key, batch)), memory


@eqx.filter_jit
def _decide(task: Task, state: State, keys: Key[Array, " batch"]) -> Decision:
    traits, batch = task.traits, keys.shape[0]
    legal = jax.vmap(task.legal)(state)
    live = ~jax.vmap(task.terminated)(state)
    if traits.discrete:
        drawn = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, 0.0, -jnp.inf))
        action = jnp.where(live, drawn, -1).astype(jnp.int32)
    else:
        box = jax.vmap(lambda k: jax.random.uniform(k, traits.shape, jnp.float32))(keys)
        shape = (batch,) + (1,) * len(traits.shape)
        action = jnp.where(live.reshape(shape), traits.low + box * (traits.high - traits.low), 0.0)
    nothing = jnp.zeros(batch, jnp.int32)
    return Decision(
        action=action,
        weights=legal / jnp.maximum(legal.sum(-1, keepdims=True), 1),
        value=jnp.zeros(batch),
        spent=Ledger(nothing, nothing, nothing, nothing, nothing, jnp.zeros(batch)),
    )
