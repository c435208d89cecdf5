"""The exact optimum of a small task that hides something: dynamic programming over beliefs.

What a player can know is the distribution over states given all it saw and did; a task over these
beliefs hides nothing (Åström 1965; Kaelbling, Littman and Cassandra 1998). Beliefs are listed
forwards from the first observations and valued backwards. What rewards would tell is not used.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.objective import Objective
from .states import Reached


@dataclass
class _Belief:
    """States (rows) that look alike, how probable each is, and what follows."""

    rows: Int[np.ndarray, " support"]
    chances: Float[np.ndarray, " support"]
    depth: int
    gains: dict[int, float]
    """The expected reward of each legal action."""
    children: dict[int, list[tuple[float, int]]]
    """For each legal action: how probable each next belief is; those that are over are left out."""


@dataclass(frozen=True)
class Beliefs:
    """What the best player can get: from the start, and at its first decision.

    `firsts` has one entry for each first observation: its probability, the states (rows of
    `Reached`) that look so, and the value of each action, minus infinity where illegal.
    """

    value: float
    count: int
    firsts: tuple[tuple[float, Int[np.ndarray, " _"], Float[np.ndarray, " actions"]], ...]


def belief_return(
    reached: Reached, objective: Objective | None = None, *, max_beliefs: int = 100_000
) -> float:
    """The expected return of the best player who remembers; see `solve_beliefs`."""
    return solve_beliefs(reached, objective, max_beliefs=max_beliefs).value


def solve_beliefs(
    reached: Reached, objective: Objective | None = None, *, max_beliefs: int = 100_000
) -> Beliefs:
    """Value every belief that the best player of an enumerated task can come to.

    The clock must be part of the states. Raises `TooLargeError` over `max_beliefs`, and
    `UnsuitableTaskError` where play goes on after the horizon.
    """
    objective = reached.task.objective if objective is None else objective
    grow = _Growing(reached, reached.rewards(objective), max_beliefs)
    firsts = grow.parted(reached.starts, reached.probable, 0)
    grow.all()
    actions, discount = reached.to.shape[1], objective.discount
    found = np.full((len(grow.beliefs), actions), -np.inf)
    values = np.zeros(len(grow.beliefs))
    for k in reversed(range(len(grow.beliefs))):  # children come after their parents
        belief = grow.beliefs[k]
        for action, gain in belief.gains.items():
            after = sum(p * values[child] for p, child in belief.children[action])
            found[k, action] = gain + discount * after
        values[k] = found[k].max()
    value = sum(p * values[k] for p, k in firsts)
    shown = tuple((p, grow.beliefs[k].rows, found[k]) for p, k in firsts)
    return Beliefs(float(value), len(grow.beliefs), shown)


class _Growing:
    """Lists beliefs breadth first, each once for each depth."""

    def __init__(self, reached: Reached, rewards: np.ndarray, most: int):
        self.reached, self.rewards, self.most = reached, rewards, most
        seen = reached.observations.reshape(len(reached), -1)
        looks = np.concatenate([seen, reached.legal], axis=1).astype(np.float64)
        self.look = np.unique(looks, axis=0, return_inverse=True)[1].reshape(-1)
        self.beliefs: list[_Belief] = []
        self.known: dict[tuple[int, bytes, bytes], int] = {}

    def all(self) -> None:
        """Expand until nothing is new."""
        done = 0
        while done < len(self.beliefs):
            self._expand(self.beliefs[done])
            done += 1

    def _expand(self, belief: _Belief) -> None:
        if belief.depth >= self.reached.task.traits.horizon:
            raise UnsuitableTaskError(
                f"{self.reached.task!r} goes on after its horizon: keep the clock in the states, "
                "so that beliefs can be valued backwards from the end."
            )
        for action in np.flatnonzero(self.reached.legal[belief.rows[0]]).tolist():
            to = self.reached.to[belief.rows, action]
            chances = belief.chances[:, None] * self.reached.chances[belief.rows, action]
            belief.gains[action] = float((chances * self.rewards[belief.rows, action]).sum())
            real = chances > 0
            belief.children[action] = self.parted(to[real], chances[real], belief.depth + 1)

    def parted(self, rows: np.ndarray, chances: np.ndarray, depth: int) -> list[tuple[float, int]]:
        """Part states by what is seen in them; those that are over are left out."""
        live = ~self.reached.terminal[rows]
        rows, chances = rows[live], chances[live]
        parts = []
        for look in np.unique(self.look[rows]):
            here = self.look[rows] == look
            states, place = np.unique(rows[here], return_inverse=True)
            weight = np.bincount(place, chances[here], len(states))
            parts.append((float(weight.sum()), self._number(states, weight, depth)))
        return parts

    def _number(self, rows: np.ndarray, weight: np.ndarray, depth: int) -> int:
        chances = weight / weight.sum()
        key = (depth, rows.tobytes(), np.round(chances, 12).tobytes())
        if key not in self.known:
            if len(self.beliefs) >= self.most:
                raise TooLargeError(
                    f"{self.reached.task!r} leads to more than max_beliefs={self.most:,} beliefs. "
                    "Raise it, take a smaller task, or search instead (HistorySearch)."
                )
            self.known[key] = len(self.beliefs)
            self.beliefs.append(_Belief(rows, chances, depth, {}, {}))
        return self.known[key]
