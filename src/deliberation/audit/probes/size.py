"""Does a larger budget make up for a larger task?"""

import jax
import numpy as np
from jaxtyping import Float, Int

from ...core.decider import Decider
from ...runs.findings import Band, Panel, Series
from ...stats import Estimate, bootstrap
from ..asking import BATCHES, ask
from ..auditing import Subject
from ..exam import Exam, best, way
from ..judging import SMALLEST, answered, control, not_applicable, over_calls
from ..profile import Answer
from .depth import needs

PROBE = {
    "name": "size",
    "tells": "budget",
    "question": "Does a larger budget make up for a larger task?",
    "statistic": "share of the way gained in the largest task by the largest budget over the one "
    "that the smallest task needs; paired over states",
    "needs": "a subject that can be made again in larger tasks of the same rules",
    "fooled_by": "a subject that is made anew for each size, and learns more of the larger ones",
}
WORDS = {
    "responds": "In larger tasks a larger budget makes up for size",
    "none": "In larger tasks a larger budget than the smallest task needs gains nothing",
    "against": "In larger tasks a larger budget than the smallest task needs does harm",
}
RULES_OUT = {
    "responds": "an answer that costs the same whatever the size",
    "none": "a search that goes further by this dial where there is further to go",
}
ENOUGH, FEWEST, STATES = SMALLEST, 12, 96
"""How near the best in the smallest task a budget has to come; states at least; and at most."""
FURTHER = 16
"""So many times the largest budget of the other probes is offered as well."""


def measure(subject: Subject) -> Answer:
    """Way and P(optimal) at every size and budget, exactly; the first task is the exam's own."""
    channels = subject.channels
    budgets = ladder(FURTHER * subject.effort.budgets[-1])
    if channels.remake is None or not channels.larger:
        return not_applicable(PROBE, "It cannot be made again in larger tasks of the same rules.")
    exams = [subject.exam, *(Exam.of(task, count=STATES) for task in channels.larger)]
    deciders = [subject.decider, *(channels.remake(task) for task in channels.larger)]
    if min(len(exam.rows) for exam in exams) < FEWEST:
        return not_applicable(PROBE, f"Fewer than {FEWEST} states matter in one of the tasks.")
    asked = [
        [_asked(subject, d, exam, budget, 0) for budget in budgets]
        for d, exam in zip(deciders, exams, strict=True)
    ]
    ways = [
        np.array([way(exam.values[exam.rows], action) for action in actions])
        for exam, actions in zip(exams, asked, strict=True)
    ]
    needed = _needed(ways[0])
    if needed == len(budgets) - 1:
        why = f"The smallest task needs the largest budget of {budgets[-1]}: more would be needed."
        return not_applicable(PROBE, why)
    told = _told(subject, exams, asked, ways, needed, budgets)
    large = exams[-1]
    base, again = (
        way(large.values[large.rows], _asked(subject, deciders[-1], large, budget, draw))
        for budget, draw in ((budgets[needed], 1), (budgets[-1], 2))
    )
    # Drawn anew: a draw that was unlucky would pass for a fall, and its mending for a gain.
    fall = float(ways[0][needed].mean() - base.mean())
    if fall < SMALLEST:
        why = f"It loses too little by size ({fall:.2f} of the way) to be made up for: {told}"
        return not_applicable(PROBE, why)
    gained = over_calls(large, large.rows, ways[-1][-1] - ways[-1][needed], (-2.0, 2.0))
    drawn = over_calls(large, large.rows, again - ways[-1][-1], (-2.0, 2.0))
    return answered(
        PROBE, gained, {found: f"{text}: {told}" for found, text in WORDS.items()},
        rules_out=RULES_OUT, panel=_panel(exams, budgets, ways, needed),
        controls=[control("another draw at the same budget gains", drawn)],
    )  # fmt: skip


def ladder(most: int) -> tuple[int, ...]:
    """Budgets by factors of two, so that what is needed is known to one."""
    return tuple(2**i for i in range(most.bit_length()) if 2**i <= most)


def _asked(
    subject: Subject, decider: Decider, exam: Exam, budget: int, draw: int
) -> Int[np.ndarray, " n"]:
    key = jax.random.fold_in(subject.key, draw)
    return ask(decider, exam, exam.rows, key, budget=budget, size=BATCHES[0]).action


def _needed(ways: Float[np.ndarray, "budgets n"]) -> int:
    """The place of the smallest budget that comes near the best of all in the smallest task.

    From its own states alone: what is then compared are other ones.
    """
    mean = ways.mean(1)
    return int(np.argmax(mean >= mean.max() - ENOUGH))


def _told(
    subject: Subject,
    exams: list[Exam],
    asked: list[list[Int[np.ndarray, " n"]]],
    ways: list[Float[np.ndarray, "budgets n"]],
    needed: int,
    budgets: tuple[int, ...],
) -> str:
    """The fall and what is regained, and the fall among states whose solutions are as long."""
    small, large = exams[0], exams[-1]
    rights = [
        best(e.values[e.rows])[np.arange(len(e.rows)), actions[i]].mean()
        for e, actions, i in ((small, asked[0], needed), (large, asked[-1], needed),
                              (large, asked[-1], -1))
    ]  # fmt: skip
    text = (
        f"with {budgets[needed]} simulations {ways[0][needed].mean():.2f} of the way among "
        f"{len(small.reached)} states, {ways[-1][needed].mean():.2f} among {len(large.reached)}, "
        f"and {ways[-1][-1].mean():.2f} with {budgets[-1]} (P(optimal) {rights[0]:.2f}, "
        f"{rights[1]:.2f} and {rights[2]:.2f})."
    )
    fall = alike(needs(small, subject.effort.depth), needs(large, subject.effort.depth),
                 ways[0][needed], ways[-1][needed])  # fmt: skip
    return text + ("" if fall != fall else f" Where as much is needed it falls by {fall:.2f}.")


def alike(
    small: Int[np.ndarray, " n"], large: Int[np.ndarray, " m"],
    way_small: Float[np.ndarray, " n"], way_large: Float[np.ndarray, " m"],
) -> float:  # fmt: skip
    """How much is lost by size where as much look-ahead is needed: the mean over needs that both
    have states of, by how many of the larger task there are; NaN where there are too few.
    """
    lost, count = 0.0, 0
    for need in np.intersect1d(small, large):
        here, there = way_small[small == need], way_large[large == need]
        lost += (here.mean() - there.mean()) * len(there)
        count += len(there)
    return lost / count if count >= FEWEST else float("nan")


def _panel(
    exams: list[Exam],
    budgets: tuple[int, ...],
    ways: list[Float[np.ndarray, "budgets n"]],
    needed: int,
) -> Panel:
    lines: list[tuple[str, list[Estimate]]] = [
        (f"{len(exam.reached)} states", [bootstrap(row, bounds=(-1.0, 1.0)) for row in table])
        for exam, table in zip(exams, ways, strict=True)
    ]
    base = float(ways[-1][needed].mean())
    return Panel(
        title="Size", x_label="simulations offered", y_label="way from random to best",
        x_scale="log2",
        series=[
            Series(label=label, x=[float(b) for b in budgets], y=[e.estimate for e in line],
                   low=[e.shown.low for e in line], high=[e.shown.high for e in line])
            for label, line in lines
        ],
        bands=[Band(label="a tenth about the largest with what the smallest needs",
                    low=base - SMALLEST, high=min(1.0, base + SMALLEST))],
    )  # fmt: skip
