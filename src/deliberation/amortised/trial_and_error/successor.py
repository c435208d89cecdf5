"""The successor representation: where one will arrive is learned apart from what that is worth.

Dayan 1993, "Improving generalization for temporal difference learning: the successor
representation", here for states and actions and learned off the policy (Russek et al. 2017). New
rewards change its choices at once; new transitions do not, until they have been experienced.
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from ...core.answering import CheckedDecider, Question
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import BatchMismatchError, UnsuitableTaskError
from ...core.objective import Objective
from ...core.task import State, Task
from ..policies.state_table import StateTable, TellApart, digests
from ..policies.table import check_numbered, looked_up
from ..training.trained import Trained
from ..training.updates import Watch
from .table_learning import Moment, TableCarry, share
from .tabular import Tabular, as_known, fill_table


class Successor(eqx.Module):
    """What is learned: discounted counts of arrivals, and what arriving somewhere earned.

    `arrivals[s, a, p]` is how often, discounted, one will arrive in place `p` after action `a` in
    state `s`; `rewards[p]` the mean reward of arriving there. Places have a table of their own.
    """

    arrivals: Float[Array, "capacity actions places"]
    rewards: Float[Array, " places"]
    places: StateTable
    visits: Float[Array, "capacity actions"]
    met: Float[Array, " places"]

    def scores(self, slot: Array) -> Float[Array, "batch actions"]:
        """Action values: what the arrivals are worth at the rewards known now."""
        return self.arrivals.at[slot].get(mode="fill", fill_value=0.0) @ self.rewards


class SuccessorPolicy(CheckedDecider):
    """Weighs remembered arrivals by remembered rewards: one matrix product, no search.

    Neither another objective nor a budget changes its answer; `relearn` does, which tells it anew
    what places are worth. Of states that are not in the table it knows nothing: every legal action
    is as likely.
    """

    task: Task
    table: StateTable
    successor: Successor
    tell_apart: TellApart | None = eqx.field(static=True)
    places_apart: TellApart | None = eqx.field(static=True)

    def __repr__(self) -> str:
        known = f"{self.table.count} states, {self.successor.places.count} places"
        return f"SuccessorPolicy({self.task!r}, {known})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Answer every row from what was learned; objective and budget are ignored."""
        decision, scores = _decide(self, question.state, question.keys)
        check_finite("The table", scores=scores)
        return decision, question.memory

    def relearn(self, after: State, rewards: Float[Array, " batch"]) -> "SuccessorPolicy":
        """The same arrivals with the rewards met on arriving in some states (their mean a place).

        Places that were not met keep their reward, and those that are not known are left out. This
        is reward revaluation: nothing is learned of where actions lead.
        """
        found = self.successor.places.find(digests(self.task, after, self.places_apart))
        given = jnp.asarray(rewards, jnp.float32)
        if given.shape != found.shape:
            raise BatchMismatchError(
                f"Got rewards of shape {given.shape} for {found.shape[0]} states: give one each."
            )
        check_finite("What was met", rewards=given)
        total = jnp.zeros_like(self.successor.rewards).at[found].add(given, mode="drop")
        count = jnp.zeros_like(self.successor.rewards).at[found].add(1.0, mode="drop")
        mean = jnp.where(count > 0, total / jnp.maximum(count, 1.0), self.successor.rewards)
        return eqx.tree_at(lambda p: p.successor.rewards, self, mean)


def train_successor(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: Tabular | None = None,
    places: int = 256,
    known: SuccessorPolicy | None = None,
    objective: Objective | None = None,
    tell_apart: TellApart | None = None,
    places_apart: TellApart | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn arrivals and rewards by trial and error, acting on the values they give.

    `places_apart` says which states are one place to arrive in (states, unless given): rewards
    should depend on nothing else, and memory grows with states x actions x `places`. The rest is
    as in `train_table`; what is `known` brings its own places, and what tells them apart. Raises
    `UnsuitableTaskError` for two players, whose wants differ.
    """
    settings = settings or Tabular(capacity=2048)
    check_numbered(task)
    if task.traits.players != 1:
        raise UnsuitableTaskError(
            f"{task!r} has {task.traits.players} players, and a successor representation counts "
            "arrivals for one. Use `train_q_learning`."
        )
    tell_apart = as_known("tell_apart", tell_apart, known)
    apart = as_known("places_apart", places_apart, known)
    apart = apart if apart is not None else tell_apart
    learned = _nothing(settings.capacity, task.traits.actions, places)
    if known is not None:
        learned = known.successor
        # Met for the first time again, so that what has changed is learned at once.
        counts = (jnp.zeros_like(learned.visits), jnp.zeros_like(learned.met))
        learned = eqx.tree_at(lambda x: (x.visits, x.met), learned, counts)

    def learn(found: Successor, moment: Moment) -> Successor:
        return _learn(found, moment, digests(task, moment.after, apart), settings)

    def decider(carry: TableCarry) -> SuccessorPolicy:
        carry.learned.places.check_room()
        return SuccessorPolicy(task, carry.table, carry.learned, tell_apart, apart)

    return fill_table(
        "successor", task, key, settings, learned, learn, Successor.scores, known=known,
        objective=objective, tell_apart=tell_apart, folder=folder, watch=watch, decider=decider,
        places=places, places_apart=apart,
    )  # fmt: skip


def _nothing(capacity: int, actions: int, places: int) -> Successor:
    def zeros(*shape: int) -> Array:
        return jnp.asarray(np.zeros(shape, np.float32))

    return Successor(
        zeros(capacity, actions, places), zeros(places), StateTable.empty(places),
        zeros(capacity, actions), zeros(places),
    )  # fmt: skip


def _learn(known: Successor, moment: Moment, after: Array, settings: Tabular) -> PyTree:
    """One step of temporal differences, each place an expectation of its own."""
    places, place = known.places.enter(after)
    rows = jnp.arange(place.shape[0])
    seen = known.met.at[place].get(mode="fill", fill_value=0.0) + 1
    alone = jnp.zeros_like(place)
    surprise = moment.reward - known.rewards.at[place].get(mode="fill", fill_value=0.0)
    change = surprise * share(place, alone) / seen
    values = known.scores(moment.next_slot)
    best = jnp.argmax(jnp.where(moment.legal, values, -jnp.inf), axis=1)
    onward = known.arrivals.at[moment.next_slot, best].get(mode="fill", fill_value=0.0)
    arrived = jax.nn.one_hot(place, known.rewards.shape[0], dtype=jnp.float32)
    wanted = arrived + moment.gain[:, None] * onward
    here = known.arrivals.at[moment.slot, moment.action].get(mode="fill", fill_value=0.0)
    visits = known.visits.at[moment.slot].get(mode="fill", fill_value=0.0)
    count = visits[rows, moment.action] + 1
    size = settings.step_size(count) * share(moment.slot, moment.action)
    spot = (moment.slot, moment.action)
    return Successor(
        known.arrivals.at[spot].add(size[:, None] * (wanted - here), mode="drop"),
        known.rewards.at[place].add(change, mode="drop"),
        places,
        known.visits.at[spot].set(count, mode="drop"),
        known.met.at[place].set(seen, mode="drop"),
    )


@eqx.filter_jit
def _decide(
    policy: SuccessorPolicy, state: State, keys: Key[Array, " batch"]
) -> tuple[Decision, Float[Array, "batch actions"]]:
    slot = policy.table.find(digests(policy.task, state, policy.tell_apart))
    scores = policy.successor.scores(slot)
    legal = jax.vmap(policy.task.legal)(state)
    value = jnp.where(legal, scores, -jnp.inf).max(axis=-1)
    flops = 2.0 * policy.successor.arrivals[0].size
    known = slot < policy.table.capacity
    return looked_up(policy.task, state, keys, known, scores, value, flops), scores
