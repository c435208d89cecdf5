"""Deciders that are coded from what is known of a world: each says in one method what it takes."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..audit.channels import Channels
from ..audit.exam import Exam, best
from ..audit.goal_directedness import occupancy
from ..core.answering import CheckedDecider, Question, answer
from ..core.decider import Decision, Memory
from ..core.objective import Objective
from ..core.task import Task
from ..direct import value_iteration
from .worlds import stretched

_GOLDEN = 0.618
LASTING = 0.97
"""Chance that play goes on after each move, where it is asked which states that comes to."""
STRETCHES = (4,)
"""How many steps a move takes in the larger worlds."""


class Coded(CheckedDecider):
    """A decider that knows all states of a task; `takes` says which actions it takes in some."""

    task: Task
    exam: Exam = eqx.field(static=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task!r})"

    @abc.abstractmethod
    def takes(
        self, rows: Int[np.ndarray, " n"], question: Question, draws: Float[np.ndarray, "n two"]
    ) -> Int[np.ndarray, " n"]:
        """An action in each state; `draws` are two numbers from 0 to 1 for each."""

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """On the host: the rows of the states, and what is taken there."""
        rows = self.exam.reached.find_all(question.state)
        draws = np.asarray(_drawn(question.keys))
        action = np.asarray(self.takes(rows, question, draws), np.int32)
        live = ~self.exam.reached.terminal[rows]
        weights = np.eye(self.exam.reached.legal.shape[1], dtype=np.float32)[action]
        return answer(live, action, weights, np.zeros(len(rows))), question.memory

    def table(
        self, rows: Int[np.ndarray, " n"], values: Float[np.ndarray, "states actions"] | None = None
    ) -> Int[np.ndarray, " n"]:
        """The best actions by some values (the task's own unless told); ties by the state alone."""
        known = self.exam.values if values is None else values
        return greedy(known[rows], (rows * _GOLDEN) % 1)

    def planned(
        self, objective: Objective, sweeps: int | None = None
    ) -> Float[np.ndarray, "states actions"]:
        """What every action is worth, looking so many moves ahead (None: all)."""
        found = value_iteration(self.exam.reached, objective, sweeps=sweeps).action_values
        return np.where(np.isfinite(found), found, np.nan)

    def legal_draw(
        self, rows: Int[np.ndarray, " n"], draws: Float[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """A legal action by a number from 0 to 1, evenly."""
        legal = self.exam.reached.legal[rows]
        place = np.minimum((draws * legal.sum(1)).astype(int), legal.sum(1) - 1)
        return (legal.cumsum(1) > place[:, None]).argmax(1)


@jax.jit
@jax.vmap
def _drawn(key: Key[Array, ""]) -> Float[Array, " 2"]:
    return jax.random.uniform(key, (2,))


def greedy(
    values: Float[np.ndarray, "n actions"], draws: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """One of the greatest of each row; ties are broken by a number from 0 to 1."""
    most = best(values)
    place = np.minimum((draws * most.sum(1)).astype(int), most.sum(1) - 1)
    return (most.cumsum(1) > place[:, None]).argmax(1)


def simulations(question: Question, usual: int) -> Int[np.ndarray, " n"]:
    """The budget of each row; where none was given, the usual one."""
    if question.budget is None:
        return np.full(question.keys.shape[0], usual)
    most = np.asarray(question.limits[0])
    return np.minimum(most, 2**20)


def familiar(
    exam: Exam, actions: Int[np.ndarray, " states"], share: float
) -> Bool[np.ndarray, " states"]:
    """The share of the states to which a table of actions comes most often from the first ones."""
    legal = exam.reached.legal
    policy = np.eye(legal.shape[1])[actions] * legal.any(1, keepdims=True)
    often = np.where(legal.any(1), occupancy(exam.reached, policy, LASTING), -1.0)
    known = np.zeros(len(often), bool)
    known[np.argsort(-often, kind="stable")[: int(share * legal.any(1).sum())]] = True
    return known


def sizes(exam: Exam, remake: Callable[[Task, Exam], Coded]) -> Channels:
    """Larger worlds of the same rules, and the same specimen in them."""
    larger = [stretched(exam.task, times) for times in STRETCHES]
    return Channels(remake=lambda task: remake(task, Exam.of(task)), larger=larger)
