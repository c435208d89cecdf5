"""What a subject does when left to itself: step by step through the states of an exam.

Where chance decides, what is likeliest happens (the first that is listed of those equally likely).
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from .asking import ask
from .auditing import Subject

AHEAD = 2
"""The action is asked for so many steps ahead; the place after one more."""

Rows = Int[np.ndarray, " n"]


class Ahead(NamedTuple):
    """The present action, the one some steps ahead (one more than there are where it is over by
    then), and the place after that one."""

    now: Rows
    action: Rows
    place: Rows


class Walk:
    """A subject on its way; it is asked once in every state that it comes to."""

    def __init__(self, subject: Subject):
        self.subject, self.exam = subject, subject.exam
        self._taken = np.full(len(self.exam.reached), -1)

    @functools.cached_property
    def _leads(self) -> Int[np.ndarray, "states actions"]:
        reached = self.exam.reached
        likeliest = reached.chances.argmax(-1)[..., None]
        return np.take_along_axis(reached.to, likeliest, -1)[..., 0]

    def action(self, rows: Rows) -> Rows:
        """What it does in some states; where it is over, one more than there are actions."""
        terminal = self.exam.reached.terminal
        new = np.unique(rows[(self._taken[rows] < 0) & ~terminal[rows]])
        if len(new):
            budget = self.subject.effort.budgets[-1]
            found = ask(self.subject.decider, self.exam, new, self.subject.key, budget=budget)
            self._taken[new] = found.action
        return np.where(terminal[rows], self._leads.shape[1], self._taken[rows])

    def after(self, rows: Rows, actions: Rows) -> Rows:
        """Where actions lead; what is over stays where it is."""
        over = self.exam.reached.terminal[rows]
        return np.where(over, rows, self._leads[rows, np.where(over, 0, actions)])


def ahead(walk: Walk, rows: Rows, now: Rows) -> Ahead:
    """What it does and where it comes to if it does `now` first, and then as it likes."""
    actions = now
    for _ in range(AHEAD):
        rows = walk.after(rows, actions)
        actions = walk.action(rows)
    return Ahead(now, actions, walk.exam.place[walk.after(rows, actions)])
