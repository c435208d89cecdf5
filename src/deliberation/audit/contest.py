"""Two rival accounts of what was seen of a subject: a device, which repeats what it did, and an
agent, which chooses by what actions are worth. Each gives probabilities of actions.

After Orseau, McGill and Legg 2018, "Agents and devices: a relative definition of agency": each
account is a Bayesian mixture, and what they are worth is how well they tell what comes. Both are
fitted on the same counts of ordinary answers, and both leave a hundredth for any action.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import gammaln, logsumexp, softmax, xlogy

from ..core.objective import Objective
from ..core.task import State, Task
from .announcing import bonus
from .exam import Exam

FLOOR = 0.01
"""The probability that is left for any legal action, whatever an account says."""
_DRAWS = 6
_ROUNDS = 30
"""Of the fit of how frequent each way of a device is."""
_SHARPNESS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 10000.0)
"""Of a planner's choice, for one whose stakes are as great as the greatest of the exam."""
_TREMBLES = (0.02, 0.1, 0.3)
_CONCENTRATIONS = (0.5, 2.0, 8.0, 32.0)
_DEPTHS = ((1, False), (2, False), (3, False), (4, False), (6, False), (None, False))
_DEPTHS += ((1, True), (2, True), (3, True), (4, True))
_PLACES = 12
_LOOK = 64
_PLAYED = 50
"""The moves of random play that a planner sees beyond its look-ahead."""
_AIMS = 3
"""So many of a planner's aims, those of most weight, are thought through under another reward."""
_LEAST = 1e-3
"""With less weight than this, what is worth what under another reward is not found anew."""

Probabilities = Float[np.ndarray, "n actions"]
Ask = Callable[[Int[np.ndarray, " n"], int], Int[np.ndarray, " n"]]
"""The subject's ordinary answers in some rows; the number names the draw."""


def loss(said: Probabilities, chosen: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Nats by which each choice surprises."""
    return -np.log(said[np.arange(len(chosen)), chosen])


def count(ask: Ask, rows: Int[np.ndarray, " n"], actions: int) -> Float[np.ndarray, "n actions"]:
    """How often each action was taken in each row, in a few draws."""
    drawn = np.stack([ask(rows, i) for i in range(_DRAWS)], 1)
    return np.stack([(drawn == a).sum(1) for a in range(actions)], 1).astype(float)


def _floored(said: Probabilities, legal: Bool[np.ndarray, "n actions"]) -> Probabilities:
    even = legal / legal.sum(1, keepdims=True)
    return (1 - FLOOR) * said / said.sum(1, keepdims=True) + FLOOR * even


class _Habit(NamedTuple):
    """One way to generalise from counts: how far alike states count, and how a state's own do."""

    weight: float
    width: float
    concentration: float | None = None
    tremble: float = 0.0


_HABITS = [
    _Habit(w, h, c, t)
    for w, h in ((0.0, 1.0), (1.0, 0.5), (8.0, 0.5), (1.0, 1.0), (8.0, 1.0))
    for c, t in (*((c, 0.0) for c in _CONCENTRATIONS), *((None, t) for t in _TREMBLES))
]


@dataclasses.dataclass(eq=False)
class Device:
    """What was done in a state, in those that look alike, and on the whole is done again.

    In each state actions have a Dirichlet prior, or one is taken but for a tremble; the prior mean
    is the base rates with those of states that look alike, by a kernel of what is observed. Every
    state has one of some ways to do so; how frequent each is, is fitted by likelihood.
    """

    exam: Exam
    rows: Int[np.ndarray, " n"]
    counts: Float[np.ndarray, "n actions"]

    def __post_init__(self) -> None:
        self._seen = _looks(self.exam, self.rows)
        apart = _squares(self._seen, self._seen)
        np.fill_diagonal(apart, np.inf)
        near = np.sqrt(apart.min(1)) if len(self.rows) > 1 else np.ones(1)
        self._unit = max(float(np.median(near)), 1e-6)
        total = self.counts.sum(0) + 1.0
        self.base = total / total.sum()
        self._place = {int(row): i for i, row in enumerate(self.rows)}
        legal = self.exam.reached.legal[self.rows]
        self._likely = np.stack(
            [_evidence(h, self._mean(h, apart, legal), self.counts, legal) for h in _HABITS], 1
        )
        self.weights = np.full(len(_HABITS), 1 / len(_HABITS))
        for _ in range(_ROUNDS):
            self.weights = softmax(
                np.log(np.maximum(self.weights, 1e-12)) + self._likely, axis=1
            ).mean(0)

    def _mean(self, habit: _Habit, apart: np.ndarray, legal: np.ndarray) -> Probabilities:
        kernel = habit.weight * np.exp(-apart / (2 * (habit.width * self._unit) ** 2))
        often = self.counts / self.counts.sum(1, keepdims=True)
        mean = np.where(legal, self.base + kernel @ often, 0.0)
        return mean / mean.sum(1, keepdims=True)

    def says(self, rows: Int[np.ndarray, " m"]) -> Probabilities:
        """The probability of each action in some states, whatever is announced there."""
        legal = self.exam.reached.legal[rows]
        at = np.array([self._place.get(int(row), -1) for row in rows])
        apart = _squares(_looks(self.exam, rows), self._seen)
        apart[np.flatnonzero(at >= 0), at[at >= 0]] = np.inf
        own = np.where(at[:, None] >= 0, self.counts[at], 0.0)
        likely = np.where(at[:, None] >= 0, self._likely[at], 0.0)
        weights = softmax(np.log(np.maximum(self.weights, 1e-12)) + likely, axis=1)
        said = np.zeros(legal.shape)
        for weight, habit in zip(weights.T, _HABITS, strict=True):
            if weight.max() > 1e-4:
                mean = self._mean(habit, apart, legal)
                said += weight[:, None] * _predicted(habit, mean, own, legal)
        return _floored(said, legal)


def _trembling(tremble: float, legal: Bool[np.ndarray, "n actions"]) -> np.ndarray:
    """The probabilities of actions (n, mode, action) where one is meant."""
    even = legal / legal.sum(1, keepdims=True)
    return (1 - tremble) * np.eye(legal.shape[1]) + tremble * even[:, None]


def _modes(habit: _Habit, mean: Probabilities, counts: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """The logarithm of how likely each action is the one that is meant, and the counts with it."""
    each = np.log(np.maximum(_trembling(habit.tremble, legal), 1e-30))
    return np.log(np.maximum(mean, 1e-30)) + (each * counts[:, None]).sum(2)


def _evidence(
    habit: _Habit, mean: Probabilities, counts: np.ndarray, legal: np.ndarray
) -> Float[np.ndarray, " n"]:
    if habit.concentration is None:
        return np.asarray(logsumexp(_modes(habit, mean, counts, legal), axis=1))
    prior, total = habit.concentration * np.maximum(mean, 1e-9), counts.sum(1)
    rising = (gammaln(counts + prior) - gammaln(prior)).sum(1)
    return rising + gammaln(prior.sum(1)) - gammaln(prior.sum(1) + total)


def _predicted(
    habit: _Habit, mean: Probabilities, counts: np.ndarray, legal: np.ndarray
) -> Probabilities:
    if habit.concentration is None:
        meant = softmax(_modes(habit, mean, counts, legal), axis=1)
        return np.einsum("nm,nma->na", meant, _trembling(habit.tremble, legal))
    prior = habit.concentration * mean
    return (counts + prior) / (counts + prior).sum(1, keepdims=True)


def _looks(exam: Exam, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n numbers"]:
    seen = []
    for first in range(0, max(len(rows), 1), _LOOK):  # one size, one program
        some = np.resize(rows[first : first + _LOOK], _LOOK)
        seen.append(np.asarray(_observed(exam.task, exam.states(some)), float).reshape(_LOOK, -1))
    return np.concatenate(seen)[: len(rows)]


@eqx.filter_jit
def _observed(task: Task, states: State) -> Array:
    return jax.vmap(task.observe)(states)


def _squares(one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, "n m"]:
    apart = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.maximum(apart, 0.0)


class Aim(NamedTuple):
    """What a planner may be after: an objective; how many moves ahead it looks (None: all); and
    whether it takes what comes later for what random play earns (as plain tree search), or for 0.
    """

    objective: Objective
    depth: int | None = None
    playouts: bool = False


def aims(exam: Exam, rng: np.random.Generator, more: Sequence[Objective] = ()) -> list[Aim]:
    """The exam's objective at some depths, the same with a place that pays, and some others."""
    arrived = np.unique(exam.place[exam.reached.to[exam.reached.to >= 0]])
    drawn = rng.permutation(arrived)[:_PLACES]
    places = [bonus(exam, np.array([place]), 4.0 * exam.span) for place in drawn]
    return [
        *(Aim(exam.objective, *d) for d in _DEPTHS), *(Aim(x) for x in (*places, *more)),
    ]  # fmt: skip


def worth(exam: Exam, aim: Aim) -> Float[np.ndarray, "states actions"]:
    """What every action is worth to one who plans for an aim; NaN where illegal."""
    if aim.depth is None:
        return exam.values if aim.objective is exam.objective else exam.under(aim.objective)
    reached, discount = exam.reached, float(aim.objective.discount)
    earned = (reached.chances * reached.rewards(aim.objective)).sum(2)

    def ahead(later: Float[np.ndarray, " states"]) -> Float[np.ndarray, "states actions"]:
        found = earned + discount * (reached.chances * later[reached.to]).sum(2)
        return np.where(reached.legal, found, np.nan)

    later = np.zeros(len(reached))
    for number in range(aim.depth + _PLAYED * aim.playouts):
        found = ahead(later)
        own = number >= _PLAYED * aim.playouts
        later = np.where(reached.terminal, 0.0, _worth_of(found, own=own))
    return found


def _worth_of(found: np.ndarray, *, own: bool) -> Float[np.ndarray, " states"]:
    """Of each state: by the best action, or by any of them."""
    some, count = np.isfinite(found), np.maximum(np.isfinite(found).sum(1), 1)
    most = np.where(some, found, -np.inf).max(1, initial=-np.inf)
    return most if own else np.where(some, found, 0.0).sum(1) / count


@dataclasses.dataclass(eq=False)
class Agent:
    """Actions are taken the rather, the more they are worth to one who plans for some aim.

    By a softmax of the exact values with a tremble; aims, sharpness and tremble are weighed by how
    likely they make the counts.
    """

    exam: Exam
    rows: Int[np.ndarray, " n"]
    counts: Float[np.ndarray, "n actions"]
    aims: Sequence[Aim]

    def __post_init__(self) -> None:
        self._values = [self._worth(aim) for aim in self.aims]
        likely = np.array([
            [xlogy(self.counts, said).sum() for said in self._choices(values, self.rows)]
            for values in self._values
        ])  # fmt: skip
        self.weights = softmax(likely)

    def _worth(self, aim: Aim) -> Float[np.ndarray, "states actions"]:
        """Of every action to one with such an aim, in parts of the greatest stake there is."""
        values = worth(self.exam, aim)
        some = values[self.exam.rows]
        return values / max(float((np.nanmax(some, 1) - np.nanmin(some, 1)).max()), 1e-30)

    def _choices(self, values: np.ndarray, rows: np.ndarray) -> list[Probabilities]:
        """By every sharpness and tremble."""
        legal = self.exam.reached.legal[rows]
        even = legal / legal.sum(1, keepdims=True)
        some = np.where(legal, values[rows], -np.inf)
        soft = [softmax(beta * some, axis=1) for beta in _SHARPNESS]
        return [(1 - t) * said + t * even for said in soft for t in _TREMBLES]

    def says(
        self,
        rows: Int[np.ndarray, " m"],
        more: Callable[[Objective], Objective] | None = None,
    ) -> Probabilities:
        """The probability of each action in some states; `more` is what an announcement makes of
        an aim.
        """
        told = np.zeros((len(rows), self.exam.values.shape[1]))
        for number in np.argsort(-self.weights.sum(1))[:_AIMS]:
            aim, values, weights = self.aims[number], self._values[number], self.weights[number]
            if more is not None and weights.sum() > _LEAST:
                values = self._worth(aim._replace(objective=more(aim.objective)))
            told += sum(w * x for w, x in zip(weights, self._choices(values, rows), strict=True))
        return _floored(told, self.exam.reached.legal[rows])
