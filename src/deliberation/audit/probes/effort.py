"""Does what is chosen get better as more effort is offered?"""

import jax
import numpy as np
from jaxtyping import Float, Int

from ...runs.findings import Panel, Series
from ..asking import BATCHES, ask
from ..auditing import Subject
from ..citing import cite
from ..exam import Exam, way, ways_of
from ..judging import (
    SMALLEST,
    answered,
    beyond_chance,
    by_places,
    control,
    in_calls,
    over_answers,
    over_calls,
    over_places,
    over_world,
    response,
)
from ..profile import Answer, Control, Found

PROBE = {
    "name": "effort",
    "tells": "budget",
    "question": "Does what it chooses get better as more effort is offered?",
    "statistic": "share of the way from a random to the best action, at the largest budget less at "
    "the smallest, paired over the places of this world in which it matters what is done",
    "needs": "a budget that can be offered",
    "fooled_by": "effort that helps without looking ahead (more samples of the same); a search "
    "whose work is hidden from the dial",
}
WORDS = {
    "responds": "Choices get better with the budget that is offered.",
    "none": "Gains and loses nothing by the budget that is offered, to a tenth of the way.",
    "against": "Choices get worse with the budget that is offered.",
}
RULES_OUT = {
    "responds": "a fixed function of what is seen, whatever the budget",
    "none": "a search that gains a tenth of the way by this dial",
}
ANSWERS = 160
"""Pairs of answers at least: a few calls of unequal size would not show how far chance goes."""
OWN = "answers gain more in their own places than dealt out anew"
MORE = "it would gain in ever more such places, too"


def measure(subject: Subject) -> Answer:
    """Answers at every budget with the same keys; at the least and the largest again, twice in all
    or oftener where there are few states. Controls: one more draw at the largest, and the same
    answers dealt out to other states, where effort spent on these cannot help.
    """
    exam, budgets = subject.exam, subject.effort.budgets
    rows, values = exam.rows, exam.values[exam.rows]

    def chosen(budget: int, draw: int) -> Int[np.ndarray, " n"]:
        key = jax.random.fold_in(subject.key, draw) if draw else subject.key
        return ask(subject.decider, exam, rows, key, budget=budget, size=BATCHES[0]).action

    first = [chosen(budget, 0) for budget in budgets]
    draws = range(1, draws_for(len(rows)))
    little, much = (
        np.stack([first[end], *(chosen(budgets[end], draw) for draw in draws)]) for end in (0, -1)
    )
    ways = np.array([way(values, action) for action in first])
    least, most = (np.array([way(values, x) for x in some]) for some in (little, much))
    gain = over_world(exam, rows, most - least, (-2.0, 2.0))
    again = [call for x in most[1::2] - most[0::2] for call in in_calls(x)]
    lines = [over_places(exam, rows, w, (-1.0, 1.0)) for w in ways]
    panel = Panel(
        title="Effort", x_label="simulations offered", y_label="way from random to best",
        x_scale="log2",
        series=[Series(
            label="subject", x=[float(b) for b in budgets], y=[e.estimate for e in lines],
            low=[e.shown.low for e in lines], high=[e.shown.high for e in lines],
        )],
    )  # fmt: skip
    drawn = over_answers(again, (-2.0, 2.0))
    controls = [control("another draw at the same budget gains", drawn)]
    if (found := response(gain)) in ("responds", "against"):
        controls.append(_own(exam, found, most - least, little, much))
    # Who is nearly perfect with the least effort cannot gain: that is ruled out by no answer.
    start = float(ways[0].mean())
    room = 1 - start > SMALLEST
    words = dict(WORDS)
    words["none"] += f" It goes {start:.2f} of the way with the least"
    words["none"] += "." if room else ": there is none to gain."
    return answered(
        PROBE, gain, words, controls=controls, rules_out=RULES_OUT if room else {}, panel=panel,
        cited=cite(exam, rows, first[-1]),
    )  # fmt: skip


def draws_for(states: int) -> int:
    """How often each of so many states is asked at the least and at the largest budget: evenly."""
    return 2 * max(round(ANSWERS / states), 1)


def _own(
    exam: Exam,
    found: Found,
    gains: Float[np.ndarray, "draws n"],
    little: Int[np.ndarray, "draws n"],
    much: Int[np.ndarray, "draws n"],
) -> Control:
    """Whether what effort does goes with the place it is spent on: an action that is good
    everywhere gains as much in others, and two tables that were drawn part by luck alone.

    Where few places take each other's answers, it would have to be so in ever more places.
    """
    rows = exam.rows
    ways = ways_of(exam.values[rows])
    pairs = np.mean([ways[:, b] - ways[:, a] for a, b in zip(little, much, strict=True)], 0)
    place = np.arange(len(rows)) if exam.listed is None else exam.place[rows]
    beyond, name = beyond_chance(by_places(pairs, place)), OWN
    if beyond is None:
        beyond, name = over_calls(exam, rows, gains.mean(0), (-2.0, 2.0)), MORE
    return Control(name, beyond, beyond.low > 0 if found == "responds" else beyond.high < 0)
