"""What tabular learners share: a table that grows with experience, and the loop that fills it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt32

from ...core.noise import Seed, mix, pick_uniform, uniform
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import Task, may_be_cut
from ..policies.state_table import StateTable, TellApart, digests
from ..training.updates import Metrics
from .experience import (
    Score,
    Worlds,
    advance,
    empty_worlds,
    first_states,
    fresh_score,
    restart,
    seed_of,
)


class Moment(NamedTuple):
    """One transition a row, in slots of the table; `then` is the action taken next."""

    slot: Int[Array, " batch"]
    action: Int[Array, " batch"]
    reward: Float[Array, " batch"]
    gain: Float[Array, " batch"]
    next_slot: Int[Array, " batch"]
    then: Int[Array, " batch"]
    legal: Bool[Array, "batch actions"]
    after: PyTree


class TableCarry(eqx.Module):
    """All that goes from one update to the next; `learned` is the algorithm's own."""

    table: StateTable
    learned: PyTree
    worlds: Worlds
    slot: Int[Array, " batch"]
    action: Int[Array, " batch"]
    score: Score
    step: Int[Array, ""]
    seed: UInt32[Array, ""]


Scores = Callable[[PyTree, Array], Float[Array, "batch actions"]]
"""Action values of the states in some slots, from what was learned."""
Learn = Callable[[PyTree, Moment], PyTree]
"""What is known after a transition in each row."""


def begin_table(
    task: Task, key: Key[Array, ""], learned: PyTree, *, table: StateTable, environments: int
) -> TableCarry:
    """What is known, before the first action."""
    nothing = jnp.asarray(np.zeros(environments, np.int32))
    return TableCarry(
        table, learned, empty_worlds(task, environments), nothing, nothing,
        fresh_score(), jnp.asarray(np.int32(0)), seed_of(key),
    )  # fmt: skip


def play_and_learn(
    carry: TableCarry,
    *,
    task: Task,
    objective: Objective,
    scores: Scores,
    learn: Learn,
    explore: Array,
    steps: int,
    discount: float,
    tell_apart: TellApart | None,
) -> tuple[TableCarry, Metrics]:
    """One update: so many actions in every episode, learning after each."""
    seed = mix(carry.seed, carry.step)
    batch = carry.slot.shape[0]
    starts = first_states(task, batch, mix(seed, 0))

    def choose(learned: Any, slot: Array, legal: Array, dice: Seed) -> Int[Array, " batch"]:
        return _soft_greedy(scores(learned, slot), legal, explore, dice)

    def open_all(now: TableCarry) -> TableCarry:
        table, slot = now.table.enter(digests(task, starts, tell_apart))
        legal = jax.vmap(task.legal)(starts)
        action = choose(now.learned, slot, legal, mix(seed, 2))
        return TableCarry(
            table, now.learned, restart(starts), slot, action, now.score, now.step, now.seed
        )

    def act(now: tuple, t: Array) -> tuple[tuple, tuple]:
        table, learned, worlds, slot, action = now
        dice = mix(seed, 1, t)
        worlds, step = advance(
            task, objective, worlds, action, mix(dice, 0), starts=starts, discount=discount
        )
        table, onward = table.enter(digests(task, worlds.state, tell_apart))
        legal = jax.vmap(task.legal)(worlds.state)
        then = choose(learned, onward, legal, mix(dice, 1))
        moment = Moment(slot, action, step.reward, step.gain, onward, then, legal, step.after)
        if may_be_cut(task):
            # The value of where an episode was cut, and not of where the next one begins.
            table, reached = table.enter(digests(task, step.after, tell_apart))
            allowed = jax.vmap(task.legal)(step.after)
            # Where planners stop at a cut too, nothing is legal: its value is that of any action.
            allowed = allowed | ~allowed.any(axis=-1, keepdims=True)
            planned = choose(learned, reached, allowed, mix(dice, 2))
            cut = moment._replace(next_slot=reached, then=planned, legal=allowed)
            moment = where_rows(step.over, cut, moment)
        learned = learn(learned, moment)
        return (table, learned, worlds, onward, then), (step.finished, step.over)

    carry = jax.lax.cond(carry.step == 0, open_all, lambda x: x, carry)
    now = (carry.table, carry.learned, carry.worlds, carry.slot, carry.action)
    now, (finished, over) = jax.lax.scan(act, now, jnp.arange(steps))
    score = carry.score.after(finished, over)
    after = TableCarry(*now, score, carry.step + 1, carry.seed)
    states = now[0].used.sum().astype(jnp.float32)
    return after, {"return": score.mean, "states": states}


def _soft_greedy(
    scores: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"], explore: Array,
    dice: Seed,
) -> Int[Array, " batch"]:  # fmt: skip
    """Any legal action with probability `explore`, else one of the best, drawn evenly."""
    rows = jnp.arange(legal.shape[0])
    worth = jnp.where(legal, scores, -jnp.inf)
    best = legal & (worth >= worth.max(axis=-1, keepdims=True))
    wander = uniform(mix(dice, 0, rows)) < explore
    return pick_uniform(jnp.where(wander[:, None], legal, best), uniform(mix(dice, 1, rows)))


def share(slot: Array, action: Array) -> Float[Array, " batch"]:
    """One over how many rows of the batch are at the same entry, so that they count as one."""
    same = (slot[:, None] == slot[None]) & (action[:, None] == action[None])
    return 1.0 / same.sum(axis=1, dtype=jnp.float32)


def falling(
    step: Array, updates: int, last: float, part: float, geometric: bool = False
) -> Float[Array, ""]:
    """Exploration: from 1 down to `last` over the first `part` of the updates."""
    if geometric:
        return last ** jnp.minimum(step / (updates * part), 1.0)
    return jnp.maximum(1 - (1 - last) * step / (updates * part), last)
