"""A look-up table as a decider: what was written for a state is the answer, and nothing else."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.answering import CheckedDecider, Question, answer, uniform_weights
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.task import State, Task
from .state_table import StateTable, TellApart, digests


class TablePolicy(CheckedDecider):
    """Looks its answer up: neither another objective nor a budget changes it.

    `scores` hold a number for each action of each state in the table (action values, or a
    teacher's weights), `values` what a state is worth (None: the greatest score of a legal action).
    The action of the greatest score is taken, the first of several. Of a state that is not in the
    table nothing is known: every legal action is as likely, and the value is 0. `tell_apart` says
    which states are one (see `digests`).
    """

    task: Task
    table: StateTable
    scores: Float[Array, "capacity actions"]
    values: Float[Array, " capacity"] | None
    tell_apart: TellApart | None = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        table: StateTable,
        scores: Float[Array, "capacity actions"],
        values: Float[Array, " capacity"] | None = None,
        *,
        tell_apart: TellApart | None = None,
    ):
        check_numbered(task)
        self.task, self.table, self.scores, self.values = task, table, scores, values
        self.tell_apart = tell_apart

    def __repr__(self) -> str:
        return f"TablePolicy({self.task!r}, {self.table.count} states)"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Look every row up; objective and budget are ignored."""
        decision, scores = _decide(self, question.state, question.keys)
        check_finite("The table", scores=scores, value=decision.value)
        return decision, question.memory


def check_numbered(task: Task) -> None:
    """Refuse continuous actions, for which a table has no columns."""
    if not task.traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has continuous actions, for which a table has no columns. Use a network."
        )


@eqx.filter_jit
def _decide(
    policy: TablePolicy, state: State, keys: Key[Array, " batch"]
) -> tuple[Decision, Float[Array, "batch actions"]]:
    slot = policy.table.find(digests(policy.task, state, policy.tell_apart))
    known = slot < policy.table.capacity
    scores = policy.scores.at[slot].get(mode="fill", fill_value=0.0)
    if policy.values is None:
        # What is illegal was never tried, and its score of 0 says nothing.
        legal = jax.vmap(policy.task.legal)(state)
        value = jnp.where(legal, scores, -jnp.inf).max(axis=-1)
    else:
        value = policy.values.at[slot].get(mode="fill", fill_value=0.0)
    return looked_up(policy.task, state, keys, known, scores, value), scores


def looked_up(
    task: Task,
    state: State,
    keys: Key[Array, " batch"],
    known: Array,
    scores: Float[Array, "batch actions"],
    value: Float[Array, " batch"],
    flops: float = 0.0,
) -> Decision:
    """The best of the scores where a state is known; any legal action, drawn, where it is not."""
    legal = jax.vmap(task.legal)(state)
    live = ~jax.vmap(task.terminated)(state)
    # A score that is not finite is a broken table: never preferred, and refused on the host.
    best = jnp.argmax(jnp.where(legal & jnp.isfinite(scores), scores, -jnp.inf), axis=-1)
    drawn = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, 0.0, -jnp.inf))
    certain = jax.nn.one_hot(best, legal.shape[1])
    weights = jnp.where(known[:, None], certain, uniform_weights(legal))
    action, value = jnp.where(known, best, drawn), jnp.where(known, value, 0.0)
    return answer(live, action, weights, value, flops=flops)
