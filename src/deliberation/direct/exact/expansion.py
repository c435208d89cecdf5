"""Expand states on the host: every outcome of every legal action, in chunks of few compiled sizes.

Whoever lists what a task can reach builds on this: the plies of a game, the states of a decision
process, the histories of a game of cards, the beliefs of one who does not see all.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt64

from ...core.errors import (
    ContractError,
    NoLegalActionError,
    NonFiniteError,
    UnsuitableTaskError,
)
from ...core.host import keyless, on_host, with_keys
from ...core.objective import Objective, cancel
from ...core.task import State, Task, batch_size
from ..ties import SINGLE

CHUNKS = (1 << 8, 1 << 13)
"""States that are looked at in one compiled call: few, and many."""
_PAIRS = (1 << 10, 1 << 12, 1 << 14, 1 << 16)
"""Successors that are made in one: no more than four times as many as are asked for."""
_CHUNK_BYTES = 1 << 26
"""So much room may the successors of one call take: a state of chess holds all that was played."""
_CHANCES = 1e-3
"""So far from 1 may the chances of an action sum, in single precision."""
_BLOCK = 1 << 14
"""Rows that are turned into numbers at a time, for they take eight times their room."""
_TWINS = 256
"""How many pairs of states with one fingerprint are compared at a time."""

Look = Callable[[Task, State], Any]
"""What is to be known of a state: a tree of arrays; pure and unbatched."""


class Edges(NamedTuple):
    """What can come of some states, one entry for each outcome of each legal action.

    Entries are in the order of their parents (rows of the states expanded), actions and outcomes.
    `facts` are what is known of the successors, `rewards` those of all players. States are on the
    host (`core.host`), as they may be where they are given.
    """

    parent: Int[np.ndarray, " n"]
    action: Int[np.ndarray, " n"]
    outcome: Int[np.ndarray, " n"]
    chance: Float[np.ndarray, " n"]
    states: State
    facts: Any
    rewards: Float[np.ndarray, "n players"]


def expansions(
    task: Task,
    states: State,
    legal: Bool[np.ndarray, "states actions"],
    objective: Objective,
    look: Look,
) -> Iterator[Edges]:
    """All that can follow some states, chunk by chunk; states without a legal action are left out.

    `look` must be the same object from call to call, or each compiles anew. Chance must be listed
    (`Task.outcomes`).
    """
    states = on_host(states)
    parents, actions = np.nonzero(legal)
    size = _chunk_size(len(parents), max(task.traits.outcomes, 1), states)
    for first in range(0, len(parents), size):
        parent, action = parents[first : first + size], actions[first : first + size]
        padded, asked = np.resize(parent, size), np.resize(action, size).astype(np.int32)
        here = jax.tree.map(lambda x, padded=padded: x[padded], states)
        after, chances, facts, rewards = _expand(task, look, objective, here, jnp.asarray(asked))
        odds = np.asarray(chances, float)
        _check_chances(task, odds)
        # In double precision they sum to one again.
        odds = odds / np.maximum(odds.sum(-1, keepdims=True), 1e-30)
        real = odds > 0
        real[len(parent) :] = False
        chosen = jax.tree.map(lambda x, r=real: np.asarray(x)[r], (after, facts, rewards))
        pair, outcome = np.nonzero(real)
        yield Edges(parent[pair], action[pair], outcome, odds[real], *chosen)


def expanded(
    task: Task,
    states: State,
    legal: Bool[np.ndarray, "states actions"],
    objective: Objective,
    look: Look,
) -> Edges | None:
    """The same in one piece; None where no state has a legal action."""
    parts = list(expansions(task, states, legal, objective, look))
    return jax.tree.map(lambda *x: np.concatenate(x), *parts) if parts else None


def described(task: Task, states: State, look: Look) -> Any:
    """What is known of each state of a batch, on the host."""
    count = batch_size(states)
    room = _room(count)
    padded = jax.tree.map(lambda x: np.resize(x, (room, *x.shape[1:])), on_host(states))
    return jax.tree.map(lambda x: np.asarray(x)[:count], _describe(task, look, padded))


def player_zero(
    task: Task, rewards: Float[np.ndarray, "edges players"]
) -> Float[np.ndarray, " edges"]:
    """Player 0's rewards: those of the other, where there is one, are their opposite.

    Raises `NonFiniteError`, and `UnsuitableTaskError` where they are not.
    """
    if not np.isfinite(rewards).all():
        raise NonFiniteError(
            f"The objective gave NaN or infinity in {task}, so no value follows from it. "
            "Check its rewards on legal transitions."
        )
    if rewards.shape[1] == 2 and not cancel(rewards).all():
        raise UnsuitableTaskError(
            f"The rewards in {task} do not sum to zero over its two players; exact solving "
            "needs opposite aims. Search it instead."
        )
    return rewards[:, 0]


def successors(task: Task) -> int:
    """How many entries one state may have."""
    return task.traits.actions * max(task.traits.outcomes, 1)


def refuse_dead_ends(
    task: Task,
    states: State,
    terminal: Bool[np.ndarray, " states"],
    legal: Bool[np.ndarray, "states actions"],
) -> None:
    """Refuse states that are live and leave nothing to do."""
    stuck = ~terminal & ~legal.any(1)
    if stuck.any():
        row = int(np.argmax(stuck))
        raise NoLegalActionError(
            "A reachable state is not terminal and has no legal action; the task must end the "
            "episode.\n" + task.render(with_keys(jax.tree.map(lambda x: x[row], states)))
        )


def contents(states: State) -> UInt64[np.ndarray, " states"]:
    """A number for all that a state holds: two that differ agree once in 2^64."""
    leaves = [np.ascontiguousarray(x).reshape(len(x), -1) for x in jax.tree.leaves(states)]
    total = np.zeros(len(leaves[0]), np.uint64)
    for number, leaf in enumerate(leaves):
        words = leaf.view(np.uint8)
        factors = np.random.default_rng(number).integers(1, 1 << 63, words.shape[1], np.uint64)
        factors = factors | np.uint64(1)
        for first in range(0, len(words), _BLOCK):
            block = slice(first, first + _BLOCK)
            total[block] += ((words[block].astype(np.uint64) + 1) * factors).sum(1)
    return total


def compares(task: Task) -> bool:
    """Whether two states of one fingerprint may differ at all, so that it may be too coarse."""
    return type(task).fingerprint is not Task.fingerprint


def refuse_coarse(
    task: Task, objective: Objective, first: State, twin: State, *, rewards_only: bool = False
) -> None:
    """Compare pairs of states with one fingerprint: what they allow, and what actions earn there.

    With `rewards_only`, what is allowed in both of a pair must earn the same, and no more is asked.
    Raises `ContractError` where they differ: then no value belongs to the fingerprint.
    """
    count = min(batch_size(first), _TWINS)
    seen = []
    for states in (first, twin):
        some = jax.tree.map(lambda x: x[:count], on_host(states))
        over, legal = described(task, some, _allows)
        earned = np.zeros((count, legal.shape[1], task.traits.players))
        for edges in expansions(task, some, legal & ~over[:, None], objective, _allows):
            gains = edges.chance[:, None] * edges.rewards
            np.add.at(earned, (edges.parent, edges.action), gains)
        seen.append((over, legal & ~over[:, None], earned))
    if rewards_only:
        both = seen[0][1] & seen[1][1]
        seen = [(np.zeros_like(over), both, earned * both[..., None]) for over, _, earned in seen]
    names = ("end", "legal actions", "rewards")
    for name, one, other in zip(names, *seen, strict=True):
        rounding = SINGLE * np.abs(np.nan_to_num(one, posinf=0, neginf=0)).max(initial=0)
        close = np.isclose(one, other, rtol=SINGLE, atol=rounding, equal_nan=True)
        same = close.reshape(count, -1).all(1)
        if not same.all():
            row = int(np.argmin(same))
            example = jax.tree.map(lambda x, row=row: x[row], on_host(twin))
            raise ContractError(
                f"The fingerprint of {task!r} is too coarse: two states that have the same one "
                f"differ in their {name} (by {type(objective).__name__}). Put into `fingerprint` "
                "(or `tell_apart`, where that is given) everything that decides the future and its "
                "rewards. One of them is\n"
                + task.render(jax.tree.map(jnp.asarray, with_keys(example)))
            )


def _allows(task: Task, state: State) -> tuple[Array, Array]:
    return task.terminated(state), task.legal(state)


def _room(count: int) -> int:
    small, large = CHUNKS
    return small if count <= small else large if count <= large else 1 << (count - 1).bit_length()


def _check_chances(task: Task, odds: Float[np.ndarray, "pairs outcomes"]) -> None:
    """Refuse chances that are none, which would drop an action or weigh it wrongly in silence."""
    with np.errstate(invalid="ignore"):
        fine = (odds >= 0).all(-1) & (np.abs(odds.sum(-1) - 1) <= _CHANCES)
    if not fine.all():
        raise ContractError(
            f"{task!r}.outcomes gives the chances {odds[int(np.argmin(fine))].tolist()} for one "
            "action: they must be at least 0 and sum to 1. Mend `outcomes`."
        )


def _chunk_size(pairs: int, outcomes: int, states: State) -> int:
    """How many pairs of state and action are taken at a time: one of few sizes, as room allows."""
    count = max(1, batch_size(states))
    bytes_each = sum(x.nbytes for x in jax.tree.leaves(states)) // count
    room = max(1, min(_PAIRS[-1], _CHUNK_BYTES // max(1, bytes_each)) // outcomes)
    return min(
        room, next((x for x in _PAIRS if x >= pairs * outcomes), room * outcomes) // outcomes
    )


@eqx.filter_jit
def _describe(task: Task, look: Look, states: State) -> Any:
    return jax.vmap(lambda s: look(task, s))(with_keys(states))


@eqx.filter_jit
def _expand(
    task: Task, look: Look, objective: Objective, states: State, actions: Int[Array, " pairs"]
) -> tuple[State, Array, Any, Array]:
    """Every outcome of an action in each state."""

    def act(state: State, action: Array) -> tuple[State, Array, Any, Array]:
        if task.traits.outcomes:
            after, chances = task.outcomes(state, action)
        else:
            after = task.advance(state, action, jax.random.key(0))
            after, chances = jax.tree.map(lambda x: x[None], after), jnp.ones(1)

        def one(outcome: State) -> tuple[Any, Array]:
            return look(task, outcome), jnp.asarray(objective(state, action, outcome))

        return keyless(after), chances, *jax.vmap(one)(after)

    return jax.vmap(act)(with_keys(states), actions)
