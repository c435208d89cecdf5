"""Temporal-difference learning in a table: the settings and the training that its kinds share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from ...core.decider import Decider
from ...core.errors import BatchMismatchError, ForeignMemoryError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import Task
from ..files.tensors import checksum
from ..policies.state_table import StateTable, TellApart
from ..policies.table import TablePolicy, check_numbered
from ..training.trained import Trained, training_identity
from ..training.updates import Metrics, Watch, run_updates
from .experience import check_opposed
from .table_learning import (
    Learn,
    Moment,
    Scores,
    TableCarry,
    begin_table,
    falling,
    play_and_learn,
    share,
)


@dataclass(frozen=True)
class Tabular:
    """Settings of a learner in a table.

    An update is `steps` actions in each of `environments` episodes played side by side. Actions are
    random with a probability that falls from 1 to `explore` over the first `exploring` part of
    training, by equal steps, or by equal factors if `geometric`: much time is then spent with
    little exploration, as SARSA needs (Singh et al. 2000). The n-th visit to a state and action
    moves its value by `rate` / n ** `decay` of the error (Even-Dar and Mansour 2003, section 3);
    without chance, a `decay` of 0 forgets what was learned from early guesses at once. There is
    room for `capacity` states. `discount` multiplies the objective's own. `hasty` compiles fast, to
    a program two to three times slower: not worth it for long trainings, nor for many alike, which
    share one program.
    """

    updates: int = 40
    environments: int = 64
    steps: int = 500
    capacity: int = 8192
    rate: float = 1.0
    decay: float = 0.6
    discount: float = 1.0
    explore: float = 0.05
    exploring: float = 0.8
    geometric: bool = False
    hasty: bool = True

    def __post_init__(self) -> None:
        if min(self.updates, self.environments, self.steps, self.capacity) < 1:
            raise ValueError(f"Counts and capacity must be at least 1; got {self}.")
        if not (0 < self.rate <= 1 and 0 <= self.decay <= 1 and 0 < self.discount <= 1):
            raise ValueError(
                f"Tabular needs 0 < rate <= 1, 0 <= decay <= 1 and 0 < discount <= 1; got {self}."
            )
        if not (0 <= self.explore <= 1 and 0 < self.exploring <= 1):
            raise ValueError(f"Tabular needs 0 <= explore <= 1 and 0 < exploring <= 1; got {self}.")

        if self.geometric and self.explore == 0:
            raise ValueError(f"Exploration by equal factors never reaches 0; got {self}.")

    def step_size(self, visits: Array) -> Array:
        """How much of an error is taken at the n-th visit."""
        return self.rate / jnp.maximum(visits, 1.0) ** self.decay


Follow = Callable[[Float[Array, "batch actions"], Moment], Float[Array, " batch"]]
"""What a next state is worth, given its action values: where the algorithms differ."""


def train_table(
    name: str,
    follow: Follow,
    task: Task,
    *,
    key: Key[Array, ""],
    settings: Tabular | None = None,
    known: TablePolicy | None = None,
    objective: Objective | None = None,
    tell_apart: TellApart | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn action values one step at a time; `follow` says what comes after is worth.

    Two players learn by playing against themselves; values are those of the player to move. Where
    an episode is cut and not over (`Task.truncated`), the value of where it was cut still counts.
    Training goes on from `known`, what was learned before, perhaps in another task; visits are
    counted anew, so that what has changed is learned at once, and states are told apart as before.
    `watch(update, metrics)` sees the mean "return" of the episodes that ended last and how many
    "states" are known. Raises `UnsuitableTaskError`, `TooLargeError` for more states than there is
    room for, `ForeignMemoryError` for another `tell_apart` than that of what is known, and what
    `run_updates` raises. Equal keys give equal bits.
    """
    settings = settings or Tabular()
    check_numbered(task)
    tell_apart = as_known("tell_apart", tell_apart, known)
    shape = (settings.capacity, task.traits.actions)
    values = jnp.asarray(np.zeros(shape, np.float32)) if known is None else known.scores

    def decider(carry: TableCarry) -> TablePolicy:
        return TablePolicy(task, carry.table, carry.learned[0], tell_apart=tell_apart)

    return fill_table(
        name, task, key, settings, (values, jnp.asarray(np.zeros(shape, np.float32))),
        eqx.Partial(_learn, follow, settings), _scores, known=known, objective=objective,
        tell_apart=tell_apart, folder=folder, watch=watch, decider=decider,
    )  # fmt: skip


def _learn(follow: Follow, settings: Tabular, learned: PyTree, moment: Moment) -> PyTree:
    values, visits = learned
    place = (moment.slot, moment.action)
    onward = _rows(values, moment.next_slot)
    wanted = moment.reward + moment.gain * follow(onward, moment)
    count = _rows(visits, moment.slot)[jnp.arange(len(moment.action)), moment.action] + 1
    error = wanted - _rows(values, moment.slot)[jnp.arange(len(moment.action)), moment.action]
    change = settings.step_size(count) * error * share(*place)
    return values.at[place].add(change, mode="drop"), visits.at[place].set(count, mode="drop")


def _scores(learned: PyTree, slot: Array) -> Float[Array, "batch actions"]:
    return _rows(learned[0], slot)


def fill_table(
    name: str,
    task: Task,
    key: Key[Array, ""],
    settings: Tabular,
    learned: PyTree,
    learn: Learn,
    scores: Scores,
    *,
    decider: Callable[[TableCarry], Decider],
    known: Any = None,
    objective: Objective | None = None,
    tell_apart: TellApart | None = None,
    places_apart: TellApart | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
    **identity: Any,
) -> Trained:
    """The training that all learners in tables share.

    `learned` is known at first, `learn` improves it, `scores` reads action values from it, and
    `decider` is made of what is known in the end. The `table` of a decider already `known` is gone
    on with. `places_apart` and `identity` are what else tells this training from others.
    """
    check_opposed(task, name, objective)
    started = time.perf_counter()
    scored = task.objective if objective is None else objective
    carry = begin_table(
        task, key, learned, environments=settings.environments,
        table=StateTable.empty(settings.capacity) if known is None else known.table,
    )  # fmt: skip
    if carry.table.capacity != settings.capacity:
        raise BatchMismatchError(
            f"What is known has room for {carry.table.capacity} states, and the settings want room "
            f"for {settings.capacity}. Give the capacity that was trained with before."
        )

    # Nothing here is made anew for each training, so that those of other keys share the program.
    update = eqx.Partial(_update, task, scored, learn, scores, settings, tell_apart)
    told = training_identity(
        name, key, task=task, objective=objective, settings=settings,
        functions={"tell_apart": tell_apart, "places_apart": places_apart},
        known=None if known is None else checksum(known), **identity,
    )  # fmt: skip
    done = run_updates(
        update, carry, updates=settings.updates, folder=folder, identity=told, watch=watch,
        hasty=settings.hasty,
    )  # fmt: skip
    done.carry.table.check_room()
    played = int(done.carry.step) * settings.environments * settings.steps
    # Each action is a model step and an example; a fit is one entry a row, all at once.
    fits = int(done.carry.step) * settings.steps
    seconds = max(done.seconds, time.perf_counter() - started)
    spent = Ledger(model_steps=played, data=played, fits=fits, seconds=seconds)
    return Trained(
        decider(done.carry), done.carry.learned, spent, done.metrics, done.carry,
        None if folder is None else Path(folder),
    )  # fmt: skip


def _update(
    task: Task,
    objective: Objective,
    learn: Learn,
    scores: Scores,
    settings: Tabular,
    tell_apart: TellApart | None,
    carry: TableCarry,
) -> tuple[TableCarry, Metrics]:
    explore = falling(
        carry.step, settings.updates, settings.explore, settings.exploring, settings.geometric
    )
    return play_and_learn(
        carry, task=task, objective=objective, scores=scores, learn=learn, explore=explore,
        steps=settings.steps, discount=settings.discount, tell_apart=tell_apart,
    )  # fmt: skip


def as_known(name: str, given: TellApart | None, known: Any) -> TellApart | None:
    """What tells states apart: that of the decider `known`, if there is one, which no other reads.

    Raises `ForeignMemoryError` for another, under which nothing that is known would be found.
    """
    if known is None:
        return given
    before = getattr(known, name)
    if given is not None and given != before:
        how = "the task's own way (None)" if before is None else repr(before)
        raise ForeignMemoryError(
            f"What is known was learned with `{name}` {how}, and would not be found by {given!r}: "
            f"leave `{name}` out to go on as before, or `known` to learn from nothing."
        )
    return before


def _rows(table: Float[Array, "capacity actions"], slot: Array) -> Float[Array, "batch actions"]:
    return table.at[slot].get(mode="fill", fill_value=0.0)
