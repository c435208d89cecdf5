"""Announcements of a held-out family: places drawn anew that pay, and where that changes the best.

The places of an announcement are drawn when it is asked, from all combinations of places, so that a
subject cannot have learned its answers beforehand.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from .announcing import Bonus, bonus
from .exam import Exam, best

_TIMES = 4.0
"""A bonus is so many times the greatest difference that one choice makes."""
_WALK = 4
"""Moves to a place from some state that is asked about, at most."""
_TRIES = 40
"""Draws for each announcement that is asked for: where they repeat, there are not so many."""


@dataclasses.dataclass(eq=False)
class Announcement:
    """An objective, the exact values under it, and the places that pay more."""

    objective: Bonus
    values: Float[np.ndarray, "states actions"]
    targets: Int[np.ndarray, " places"]


def announce(exam: Exam, rng: np.random.Generator, count: int, places: int) -> list[Announcement]:
    """At most so many announcements of so many places each, no two alike; fewer where there are no
    more. Places are where a few random moves lead from states that are asked about, so that what is
    announced is within reach of some.
    """
    found: list[Announcement] = []
    drawn: set[tuple[int, ...]] = set()
    for _ in range(_TRIES * count):
        targets = np.unique([_reached_from_some(exam, rng) for _ in range(places)])
        if len(targets) < places or tuple(targets.tolist()) in drawn:
            continue
        drawn.add(tuple(targets.tolist()))
        told = bonus(exam, targets, _TIMES * exam.span)
        found.append(Announcement(told, exam.under(told), targets))
        if len(found) == count:
            break
    return found


def _reached_from_some(exam: Exam, rng: np.random.Generator) -> int:
    """The place in which a random walk of a few moves ends."""
    row = int(rng.choice(exam.rows))
    for _ in range(int(rng.integers(1, _WALK + 1))):
        ways = exam.reached.to[row]
        ways = ways[ways >= 0]
        if not len(ways):
            break
        row = int(rng.choice(ways))
    return int(exam.place[row])


def items(
    exam: Exam, announced: Announcement, most: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """At most `most` of the exam's states in which no own best action is best any more."""
    was, now = best(exam.values[exam.rows]), best(announced.values[exam.rows])
    rows = exam.rows[now.any(1) & ~(was & now).any(1)]
    return rng.permutation(rows)[:most]
