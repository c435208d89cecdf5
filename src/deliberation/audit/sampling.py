"""States of random play, and what their actions are worth by a planner's word: where states are too
many to be listed, a reference at a declared budget stands in for the truth.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from ..core.decider import Decider, check_finite
from ..core.host import on_host, with_keys
from ..core.objective import Objective
from ..core.play import random_positions
from ..core.task import State, Task, batch_size, stopped
from ..direct import TreeSearch

BUDGET = 512
"""Simulations of the reference where none is handed over."""
DRAWS = 4
"""Successors that each action is judged by, where chance has a say."""
_ROWS = 64


@dataclasses.dataclass(eq=False)
class Judged:
    """Some states, what each action is worth there to the player to move (NaN where illegal), and
    by whose word.
    """

    states: State
    values: Float[np.ndarray, "states actions"]
    judge: str


def judged(
    task: Task, objective: Objective, count: int, seed: int, reference: Decider | None = None
) -> Judged:
    """As many states as can be had of `count` episodes of random play, each worth a look by the
    reference: an action is worth what it earns, and what the reference expects of what follows.
    """
    first, second, third = jax.random.split(jax.random.key(seed), 3)
    states = _distinct(task, random_positions(task, count, first))
    judge = TreeSearch(task, "uct", capacity=BUDGET + 1) if reference is None else reference
    budget = BUDGET if reference is None else None
    count, actions = batch_size(states), task.traits.actions
    legal = np.asarray(jax.jit(jax.vmap(task.legal))(states))
    row, action = np.nonzero(legal)
    draws = 1 if task.traits.deterministic else DRAWS
    row, action = np.repeat(row, draws), np.repeat(action, draws)
    keys = jax.random.split(second, len(row))
    worth = np.empty(len(row))
    for start in range(0, len(row), _ROWS):
        some = np.resize(np.arange(start, min(start + _ROWS, len(row))), _ROWS)
        here = jax.tree.map(lambda x, at=row[some]: x[at], states)
        after, earned, sign, over = _advance(
            task, objective, here, jnp.asarray(action[some], jnp.int32), keys[some]
        )
        told, _ = judge.decide(
            after, judge.begin(_ROWS), objective=objective, budget=budget,
            key=jax.random.fold_in(third, start),
        )  # fmt: skip
        ahead = np.where(over, 0.0, np.asarray(told.value) * np.asarray(sign))
        worth[some] = np.asarray(earned) + float(objective.discount) * ahead
    check_finite(f"{judge!r}", value=worth)
    values = np.full((count, actions), np.nan)
    total = np.zeros((count, actions))
    np.add.at(total, (row, action), worth / draws)
    values[legal] = total[legal]
    name = f"{BUDGET} simulations of UCT" if reference is None else repr(reference)
    return Judged(on_host(states), values, name)


def _distinct(task: Task, states: State) -> State:
    """Each once: where a task does not offer as many as were asked for, they repeat."""
    prints = np.asarray(jax.jit(jax.vmap(task.fingerprint))(states))
    rows = np.unique(prints.reshape(len(prints), -1), axis=0, return_index=True)[1]
    return with_keys(jax.tree.map(lambda x: jnp.asarray(x[np.sort(rows)]), on_host(states)))


@eqx.filter_jit
def _advance(
    task: Task, objective: Objective, states: State, actions: Array, keys: Key[Array, " n"]
) -> tuple[State, Float[Array, " n"], Float[Array, " n"], Bool[Array, " n"]]:
    """(after, what the mover earns, 1 or -1 as the next mover is the same or not, over)."""

    def one(state: State, action: Array, key: Key[Array, ""]) -> tuple[State, Array, Array, Array]:
        after = task.advance(state, action, key)
        mover = task.player(state)
        same = jnp.where(task.player(after) == mover, 1.0, -1.0)
        return after, objective(state, action, after)[mover], same, stopped(task, after)

    return jax.vmap(one)(states, actions, keys)
