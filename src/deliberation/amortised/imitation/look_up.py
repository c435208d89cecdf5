"""The giant look-up table: a teacher's answer to every question, written down beforehand."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ...core.budget import Budget
from ...core.decider import Decider
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State
from ..policies.state_table import StateTable, TellApart, digests
from ..policies.table import TablePolicy, check_numbered
from .data import collect


def tabulate(
    teacher: Decider,
    states: State,
    *,
    key: Key[Array, ""],
    objective: Objective | None = None,
    budget: Budget | int | None = None,
    tell_apart: TellApart | None = None,
) -> tuple[TablePolicy, Ledger]:
    """Write a teacher's weights and values for a batch of states into a table.

    How such a table was made matters off the states it holds (Block 1981, "Psychologism and
    behaviorism", whose machine this is): there it knows nothing. Where states are one to
    `tell_apart`, the last of them counts. Terminal states are left out. The ledger holds what the
    teacher spent, and one item of data for each state written.
    """
    task = teacher.task
    check_numbered(task)
    started = time.perf_counter()
    live = np.flatnonzero(~np.asarray(jax.vmap(task.terminated)(states)))
    asked = jax.tree.map(lambda x: x[live], states)
    dial = None if budget is None else Budget.of(budget)
    told, spent = collect(teacher, asked, key=key, objective=objective, budget=dial)
    # Half empty, so that a search for a state ends after a probe or two.
    table, slots = StateTable.empty(2 * len(live)).enter(digests(task, asked, tell_apart))
    scores = jnp.zeros((table.capacity, task.traits.actions)).at[slots].set(told.weights)
    values = jnp.zeros(table.capacity).at[slots].set(told.value)
    seconds = time.perf_counter() - started
    written = Ledger(
        spent.model_steps, spent.network_evaluations, spent.fits, table.count, spent.flops, seconds
    )
    return TablePolicy(task, table, scores, values, tell_apart=tell_apart), written
