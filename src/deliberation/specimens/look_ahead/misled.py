"""In which states a short look ahead goes wrong, for specimens that are at home there, or not."""

import jax
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from ...audit.exam import Exam, best
from ...core.objective import Objective
from ...direct import value_iteration

MOVES, FAR = 4, 16
"""How far a short look goes, and so many moves ahead a choice has to stay right."""


def misled(
    exam: Exam, objective: Objective | None = None, moves: int = MOVES
) -> Bool[np.ndarray, " states"]:
    """Where looking `moves` ahead, or some more, would take an action that is not best, under an
    objective (the exam's own unless told).
    """
    return enough(exam, FAR, objective) > moves


def enough(exam: Exam, most: int, objective: Objective | None = None) -> Int[np.ndarray, " states"]:
    """How many moves of look-ahead are enough: so many, or more, up to `most`, choose rightly."""
    right, moves = _best(exam, objective), np.ones(len(exam.values), int)
    for sweeps in range(1, most):
        moves[(_best(exam, objective, sweeps) & ~right).any(1)] = sweeps + 1
    return moves


def _best(
    exam: Exam, objective: Objective | None, sweeps: int | None = None
) -> Bool[np.ndarray, "states actions"]:
    wanted = exam.objective if objective is None else objective
    values = value_iteration(exam.reached, wanted, sweeps=sweeps).action_values
    return best(np.where(np.isfinite(values), values, np.nan))


def habit(exam: Exam, key: Key[Array, ""]) -> np.ndarray:
    """Some legal action of every state, drawn once."""
    legal = exam.reached.legal
    scores = np.asarray(jax.random.uniform(key, legal.shape))
    return np.where(legal, scores, -1.0).argmax(1)
