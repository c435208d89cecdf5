"""Asking a decider about a batch of positions, under any objective, in batches of one size."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.decider import Decider
from ...core.objective import Objective
from ...core.task import State, batch_size
from ...core.witness.noting import note_exam
from .exams import stakes
from .scoring import CHUNK
from .split import take


class Answers(NamedTuple):
    """The action chosen in each position, the distribution over actions, and the positions."""

    action: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "n actions"]
    states: State


def ask(
    decider: Decider,
    states: State,
    key: Key[Array, "*batch"],
    *,
    objective: Objective | None = None,
    budget: int | None = None,
) -> Answers:
    """What a decider answers, each position with its own key.

    `CHUNK` positions at a time, the last ones filled up with copies: one size is compiled.
    """
    n = batch_size(states)
    keys = key if key.ndim else jax.random.split(key, n)
    parts = []
    for start in range(0, n, CHUNK):
        rows = np.resize(np.arange(start, min(start + CHUNK, n)), CHUNK)
        decision, _ = decider.decide(
            take(states, rows), decider.begin(CHUNK),
            objective=objective, budget=budget, key=keys[rows],
        )  # fmt: skip
        real = min(CHUNK, n - start)
        parts.append((np.asarray(decision.action)[:real], np.asarray(decision.weights)[:real]))
    action, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Answers(action, weights, states)


def batch_free(
    decider: Decider, states: State, key: Key[Array, ""], budget: int | None = None
) -> dict[str, list[float]]:
    """Whether answers are the position's own (1 or 0 each), whatever else is in the batch.

    Keys travel with their positions: "permuted" asks in another order, "again" the same once more,
    and "alone" a few positions each in a batch of copies of itself.
    """
    n = min(batch_size(states), CHUNK)
    states, keys = take(states, np.arange(n)), jax.random.split(key, n)
    first = ask(decider, states, keys, budget=budget)
    order = np.random.default_rng(0).permutation(n)
    turned = take(states, order)
    permuted = ask(decider, turned, keys[order], budget=budget)
    again = ask(decider, states, keys, budget=budget)
    few = np.unique(np.linspace(0, n - 1, 3).astype(int))
    alone = [_alone(decider, states, keys, row, budget) for row in few.tolist()]
    return {
        "permuted": _same(permuted.action, first.action[order]),
        "again": _same(again.action, first.action),
        "alone": _same(np.array(alone), first.action[few]),
    }


def _alone(
    decider: Decider, states: State, keys: Key[Array, " n"], row: int, budget: int | None
) -> int:
    """The answer in one position among copies of itself, which draw chance of their own."""
    copies = take(states, np.full(CHUNK, row))
    mine = jax.random.split(keys[row], CHUNK).at[0].set(keys[row])
    return int(ask(decider, copies, mine, budget=budget).action[0])


def _same(one: np.ndarray, other: np.ndarray) -> list[float]:
    return (one == other).astype(float).tolist()


def ways(
    values: Float[np.ndarray, "n actions"], answers: Answers, said: str = ""
) -> Float[np.ndarray, " n"]:
    """1 - regret / mean stake: its mean is the way from random play (0) to the optimum (1).

    The record keeps some of the positions: those where most was given up, of each way of asking
    (`said`).
    """
    action = answers.action
    note_exam(answers.states, action, values, said)
    regret = np.nanmax(values, 1) - values[np.arange(len(values)), action]
    return (1 - regret / stakes(values).mean()).round(6)
