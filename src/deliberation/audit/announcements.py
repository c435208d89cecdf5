"""Announcements of a held-out family: places drawn anew that pay, and where that changes the best.

The places of an announcement are drawn when it is asked, from all combinations of states, so that a
subject cannot have learned its answers beforehand.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

from .announcing import Bonus, bonus
from .exam import Exam, best

_TIMES = 4.0
"""A bonus is so many times the greatest difference that one choice makes."""


@dataclasses.dataclass(eq=False)
class Announcement:
    """An objective, the exact values under it, and the places that pay more."""

    objective: Bonus
    values: Float[np.ndarray, "states actions"]
    targets: Int[np.ndarray, " places"]


def announce(exam: Exam, rng: np.random.Generator, count: int, places: int) -> list[Announcement]:
    """At most so many announcements of so many places each, no two alike, drawn from all that can
    be arrived in; fewer where there are no more.
    """
    arrived = np.unique(exam.place[exam.reached.to[exam.reached.to >= 0]])
    places = min(places, len(arrived))
    found: list[Announcement] = []
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < min(count, math.comb(len(arrived), places)):
        targets = np.sort(rng.choice(arrived, places, replace=False))
        if tuple(targets.tolist()) in drawn:
            continue
        drawn.add(tuple(targets.tolist()))
        told = bonus(exam, targets, _TIMES * exam.span)
        found.append(Announcement(told, exam.under(told), targets))
    return found


def items(
    exam: Exam, announced: Announcement, most: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """At most `most` of the exam's states in which no own best action is best any more."""
    was, now = best(exam.values[exam.rows]), best(announced.values[exam.rows])
    rows = exam.rows[now.any(1) & ~(was & now).any(1)]
    return rng.permutation(rows)[:most]
