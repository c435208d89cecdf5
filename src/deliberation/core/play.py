"""`rollout`: the loop that plays deciders on a task, shared by everything that plays."""

import functools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from .budget import Budget
from .decider import Decider
from .errors import BatchMismatchError, NonFiniteError, WrongKindError
from .failures import as_raised, text_of
from .keys import KeyLike, one_key
from .ledger import Ledger, exact_sum
from .noise import as_key, mix, pick_uniform, seeds, uniform
from .objective import Action, Objective, wanted
from .rows import in_32_bits, where_rows
from .task import (
    Actions,
    State,
    Task,
    batch_size,
    check_actions,
    check_is_task,
    dtype_of,
    stopped,
)
from .witness.noting import LONGEST, note_episodes
from .witness.watching import watch


class Episodes(eqx.Module):
    """What happened in a batch of episodes.

    `returns` has one column a player, and so has `turns`, how often each moved; `actions` is -1
    after the end (0 where they are continuous); `spent` one ledger a player, summed over live rows
    only. `final` are the last states, and `truncated` says which of them are no ends by the rules:
    play was cut there, and the returns lack what would have come after.
    """

    returns: Float[np.ndarray, "batch players"]
    turns: Int[np.ndarray, "batch players"]
    actions: Shaped[np.ndarray, "batch plies ..."]
    spent: tuple[Ledger, ...]
    final: State
    truncated: Bool[np.ndarray, " batch"]

    @property
    def lengths(self) -> Int[np.ndarray, " batch"]:
        """Moves of all players together."""
        return self.turns.sum(1)


@as_raised
def rollout(
    task: Task,
    deciders: Decider | Sequence[Decider],
    *,
    key: KeyLike,
    batch: int = 1,
    state: State | None = None,
    objective: Objective | None = None,
    budget: Budget | int | Sequence[Budget | int | None] | None = None,
) -> Episodes:
    """Play a batch of episodes to their end: one decider for all seats, or one for each player.

    An episode stops where it is terminated or truncated, and after `traits.horizon` actions.
    `state` starts from given states instead of `task.init`. `objective` scores the episodes and
    is handed to the deciders; `budget` may be one for all or one for each player. A decider that
    returns an illegal action raises `IllegalActionError` with the position; rewards that are NaN
    raise `NonFiniteError`; what is no task, decider, objective or key, `WrongKindError`.
    """
    check_is_task(task)
    key, players = one_key(key), task.traits.players
    seats, budgets = _seated(task, deciders, budget)
    if batch < 1:
        raise BatchMismatchError(f"A batch has at least 1 episode; got batch={batch}.")
    key, first = jax.random.split(key)
    if state is None:
        state = jax.vmap(task.init)(jax.random.split(first, batch))
    batch = batch_size(state)
    if batch < 1:
        raise BatchMismatchError("A batch has at least 1 episode; got no states to start from.")
    memories = [seat.begin(batch) for seat in seats]
    spent = [Ledger()] * players
    scored = wanted(task, objective)
    returns, worth = jnp.zeros((batch, players)), jnp.ones((batch,))
    nothing, turns = _nothing(task, batch), np.zeros((batch, players), int)
    actions: list[np.ndarray] = []
    looked: list[State] = []
    for _ in range(task.traits.horizon):
        over, mover = _status(task, state)
        if bool(over.all()):
            break
        action = nothing
        for p in np.unique(np.asarray(mover)[~np.asarray(over)]):
            key, now = jax.random.split(key)
            mine = np.asarray((mover == p) & ~over)
            turns[mine, p] += 1
            decision, memory = seats[p].decide(
                state, memories[p], objective=objective, budget=budgets[p], key=now
            )
            memories[p] = where_rows(jnp.asarray(mine), memory, memories[p])
            chosen = jnp.asarray(in_32_bits(decision.action))
            action = np.asarray(where_rows(jnp.asarray(mine), chosen, jnp.asarray(action)))
            spent[p] = spent[p] + masked_total(decision.spent, mine)
        check_actions(task, state, jnp.asarray(action))
        if watch() and len(looked) < LONGEST:
            looked.append(state)
        key, now = jax.random.split(key)
        keys = jax.random.split(now, batch)
        state, reward = advance_rows(task, scored, state, jnp.asarray(action), keys)
        returns, worth = returns + worth[:, None] * reward, worth * scored.discount
        actions.append(action)
    if np.isnan(returns).any():
        row = int(np.argmax(np.isnan(np.asarray(returns)).any(1)))
        raise NonFiniteError(
            f"{type(scored).__name__} gave NaN in {task!r}, first in episode {row}, whose return "
            "is then no number. Check its rewards on legal transitions."
        )
    trace = np.stack([nothing, *actions], 1)[:, 1:]
    if looked:
        note_episodes(looked, trace, np.asarray(returns[:, 0]))
    cut = np.asarray(_no_end(task, state))
    return Episodes(np.asarray(returns), turns, trace, tuple(spent), state, cut)


def _seated(task: Task, deciders: Any, budget: Any) -> tuple[list[Decider], list[Any]]:
    """A decider and a budget for each player. Raises `BatchMismatchError`, and `WrongKindError`
    for what plays nothing, such as a plain function.
    """
    players = task.traits.players
    seats = list(deciders) if isinstance(deciders, Sequence) else [deciders] * players
    budgets = list(budget) if isinstance(budget, Sequence) else [budget] * players
    if len(seats) != players or len(budgets) != players:
        raise BatchMismatchError(
            f"{task} has {players} player{'s' * (players > 1)}: give one decider and one budget "
            f"for all seats, or one for each; got {len(seats)} and {len(budgets)}."
        )
    for seat in seats:
        if not (hasattr(seat, "begin") and hasattr(seat, "decide")):
            raise WrongKindError(
                f"{text_of(seat)} is no decider: bring a function of observations in with "
                "adapters.from_callable, a network with from_torch or from_equinox, or subclass "
                "deliberation.Decider."
            )
    return seats, budgets


def _nothing(task: Task, batch: int) -> np.ndarray:
    """The actions recorded for rows that do not move."""
    if task.traits.discrete:
        return np.full(batch, -1, dtype_of(task.traits))
    return np.zeros((batch, *task.traits.shape), dtype_of(task.traits))


def masked_total(spent: Ledger, mask: np.ndarray) -> Ledger:
    """The sum over the rows under the mask; amounts that are one number stay as they are."""
    return jax.tree.map(lambda a: exact_sum(np.asarray(a)[mask]) if np.ndim(a) else a, spent)


@eqx.filter_jit
def _status(task: Task, state: State) -> tuple[Bool[Array, " batch"], Int[Array, " batch"]]:
    return jax.vmap(functools.partial(stopped, task))(state), jax.vmap(task.player)(state)


@eqx.filter_jit
def _no_end(task: Task, state: State) -> Bool[Array, " batch"]:
    return jax.vmap(lambda s: ~task.terminated(s) | task.only_cut(s))(state)


@eqx.filter_jit
def advance_rows(
    task: Task, objective: Objective, state: State, action: Actions, keys: Key[Array, " batch"]
) -> tuple[State, Float[Array, "batch players"]]:
    """Step the live rows of a batch; rows that have stopped stay as they are and earn nothing."""

    def one(s: State, a: Action, k: Key[Array, ""]):
        over = stopped(task, s)
        after = task.advance(s, jnp.maximum(a, 0) if task.traits.discrete else a, k)
        reward = jnp.where(over, 0.0, jnp.asarray(objective(s, a, after)))
        return where_rows(over, s, after), reward

    return jax.vmap(one)(state, action, keys)


def random_positions(
    task: Task, n: int, key: Key[Array, ""], *, plies: int | None = None, distinct: bool = True
) -> State:
    """`n` unfinished positions from uniformly random play, as a batch of states.

    Each is a uniformly drawn moment of one random game, or the position after `plies` plies (the
    last unfinished one of games that end sooner). With `distinct`, positions met before are drawn
    again a few times; where the task does not offer `n` different ones, they repeat.
    """
    if n < 1 or (plies is not None and plies < 0):
        raise ValueError(f"Ask for at least one position and no negative plies: {n=}, {plies=}.")
    found, order = None, np.zeros(0, np.int64)
    for attempt in range(4 if distinct else 1):
        keys = jax.random.split(jax.random.fold_in(key, attempt), n)
        drawn = _play_randomly(task, keys, plies)
        found = (
            drawn
            if found is None
            else jax.tree.map(lambda x, y: jnp.concatenate([x, y]), found, drawn)
        )
        order = np.arange(batch_size(found))
        if distinct:
            prints = np.asarray(jax.vmap(task.fingerprint)(found)).reshape(len(order), -1)
            order = np.sort(np.unique(prints, axis=0, return_index=True)[1])
        if len(order) >= n:
            break
    rows = np.resize(order, n)
    return jax.tree.map(lambda x: x[rows], found)


@eqx.filter_jit
def _play_randomly(task: Task, keys: Key[Array, " n"], plies: int | None) -> State:
    """One random game a key, of which one unfinished position is kept."""
    seed = seeds(keys)
    start = jax.vmap(task.init)(as_key(seed))
    length = task.traits.horizon if plies is None else min(plies, task.traits.horizon)
    over = jax.vmap(functools.partial(stopped, task))

    def going(carry: tuple[Int[Array, ""], State, State]) -> Bool[Array, ""]:
        # Horizons of some games are hundreds of times as long as a random game.
        return (carry[0] < length) & ~over(carry[1]).all()

    def ply(carry: tuple[Int[Array, ""], State, State]) -> tuple[Int[Array, ""], State, State]:
        now, state, kept = carry
        here = mix(seed, now)
        action = pick_uniform(jax.vmap(task.legal)(state), uniform(here))
        after = jax.vmap(task.advance)(state, action, as_key(mix(here, 1)))
        state = where_rows(over(state), state, after)
        # Reservoir sampling: each of the game's positions is kept with equal chance in the end.
        take = uniform(mix(here, 2)) * (now + 2) < 1 if plies is None else now < plies
        take = take & ~over(state)
        return now + 1, state, where_rows(take, state, kept)

    return jax.lax.while_loop(going, ply, (jnp.int32(0), start, start))[2]
