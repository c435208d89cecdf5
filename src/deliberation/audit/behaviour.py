"""What a subject does when it is left alone: one answer a state, and which places it comes to."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from .asking import ask
from .auditing import Subject
from .exam import Exam

LANES, STEPS, MOST = 1024, 32, 1024
"""Courses of play that are followed, the most moves of each, and states asked about on the way:
once so many have been, no course goes on. No state is asked about twice."""


@dataclasses.dataclass(eq=False)
class Behaviour:
    """One drawn answer for each state that was met or asked about, and visits to every place.

    `action` is -1 where nothing was asked. Places are states without their clocks.
    """

    subject: Subject
    action: Int[np.ndarray, " states"]
    visits: Float[np.ndarray, " places"]

    def on(self, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The answers in some states; those not met yet are asked for now."""
        new = np.unique(rows[self.action[rows] < 0])
        if len(new):
            told = self.subject
            self.action[new] = ask(
                told.decider, told.exam, new, told.key, budget=told.effort.budgets[-1]
            ).action
        return self.action[rows]

    def seldom(self) -> Bool[np.ndarray, " n"]:
        """Which of the exam's states are in the half of places that it came to least often.

        All of them where it came to all as often.
        """
        exam = self.subject.exam
        seen = self.visits[exam.place[exam.rows]]
        cuts = np.unique(seen)
        uneven = [abs(float((seen <= cut).mean()) - 0.5) for cut in cuts]
        return seen <= cuts[int(np.argmin(uneven))]


def halves(
    subject: Subject, fewest: int
) -> tuple[Behaviour, Int[np.ndarray, " n"], Bool[np.ndarray, " n"]] | None:
    """Its course of play, its answers in the exam's states, and which of these it seldom comes to.

    None where either half has fewer places than asked for.
    """
    course = behave(subject)
    seldom = course.seldom()
    place = subject.exam.place[subject.exam.rows]
    if min(len(np.unique(place[x])) for x in (seldom, ~seldom)) < fewest:
        return None
    return course, course.on(subject.exam.rows), seldom


UNEVEN = "There are too few places, or it comes to nearly all as often, or seldom to any."


def behave(subject: Subject) -> Behaviour:
    """Follow some courses of play from the task's first states, as the rules and chance have it.

    An answer is drawn once for each state and kept; a course that ends begins again.
    """
    exam, reached = subject.exam, subject.exam.reached
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    found = Behaviour(subject, np.full(len(reached), -1), np.zeros(len(exam.faces)))
    rows = _first(exam, rng, LANES)
    for _ in range(min(exam.task.traits.horizon, STEPS)):
        over = reached.terminal[rows]
        rows = np.where(over, _first(exam, rng, LANES), rows)
        rows = rows[~reached.terminal[rows]]
        if (found.action >= 0).sum() + len(np.unique(rows[found.action[rows] < 0])) > MOST:
            break
        action = found.on(rows)
        np.add.at(found.visits, exam.place[rows], 1)
        chances = reached.chances[rows, action].cumsum(1)
        drawn = (rng.random(len(rows))[:, None] < chances).argmax(1)
        rows = np.resize(reached.to[rows, action, drawn], LANES)
    return found


def _first(exam: Exam, rng: np.random.Generator, count: int) -> Int[np.ndarray, " n"]:
    probable = exam.reached.probable / exam.reached.probable.sum()
    return rng.choice(exam.reached.starts, count, p=probable)
