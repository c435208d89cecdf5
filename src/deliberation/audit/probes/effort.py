"""Does what is chosen get better as more effort is offered?"""

import jax
import numpy as np

from ...runs.findings import Panel, Series
from ..asking import BATCHES, ask
from ..auditing import Subject
from ..citing import cite
from ..exam import Exam, way
from ..judging import SMALLEST, answered, control, over_calls, over_places, response
from ..profile import Answer, Control

PROBE = {
    "name": "effort",
    "question": "Does what it chooses get better as more effort is offered?",
    "statistic": "share of the way from a random to the best action, at the largest budget less at "
    "the smallest, paired over places",
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
FEWEST = 24
"""States in which other states' answers are legal, at least."""


def measure(subject: Subject) -> Answer:
    """Answers at every budget with the same keys. Controls: one more draw at the largest, and the
    same answers given to other states, where effort spent on these cannot help.
    """
    exam, budgets = subject.exam, subject.effort.budgets
    rows, values = exam.rows, exam.values[exam.rows]
    more = jax.random.fold_in(subject.key, 1)
    *chosen, again = (
        ask(subject.decider, exam, rows, key, budget=b, size=BATCHES[0]).action
        for b, key in (*((b, subject.key) for b in budgets), (budgets[-1], more))
    )
    ways = np.array([way(values, action) for action in chosen])
    gain = over_calls(exam, rows, ways[-1] - ways[0], (-2.0, 2.0))
    drawn = over_calls(exam, rows, way(values, again) - ways[-1], (-2.0, 2.0))
    lines = [over_places(exam, rows, w, (-1.0, 1.0)) for w in ways]
    panel = Panel(
        title="Effort", x_label="simulations offered", y_label="way from random to best",
        x_scale="log2",
        series=[Series(
            label="subject", x=[float(b) for b in budgets], y=[e.estimate for e in lines],
            low=[e.low for e in lines], high=[e.high for e in lines],
        )],
    )  # fmt: skip
    controls = [control("another draw at the same budget gains", drawn)]
    if response(gain) == "responds":
        controls += _beyond_others(exam, rows, chosen[0], chosen[-1])
    # Who is nearly perfect with the least effort cannot gain: that is ruled out by no answer.
    start = float(ways[0].mean())
    room = 1 - start > SMALLEST
    words = dict(WORDS)
    if not room:
        words["none"] += f" It goes {start:.2f} of the way with the least: there is none to gain."
    if len(controls) == 1:
        words["responds"] += " Whether other places' answers gain as much here could not be asked."
    return answered(
        PROBE, gain, words, controls=controls, rules_out=RULES_OUT if room else {}, panel=panel,
        cited=cite(exam, rows, chosen[-1]),
    )  # fmt: skip


def _beyond_others(
    exam: Exam, rows: np.ndarray, little: np.ndarray, much: np.ndarray
) -> list[Control]:
    """What is gained beyond what the same answers gain in other places, where effort spent on these
    cannot help: an action that is good everywhere gains as much there.
    """
    order = np.arange(len(rows))
    if exam.listed is not None:  # half a turn away lies another place, and not another time in it
        order = np.argsort(exam.place[rows], kind="stable")
    turned = np.roll(order, len(rows) // 2)
    legal, at = exam.legal[rows[order]], np.arange(len(rows))
    fits = legal[at, little[turned]] & legal[at, much[turned]]
    if fits.sum() < FEWEST:
        return []
    own, others = order[fits], turned[fits]
    values = exam.values[rows[own]]
    gains = [way(values, much[x]) - way(values, little[x]) for x in (own, others)]
    # Each answer is in two of these differences, its own and another's: calls are what differs.
    beyond = over_calls(exam, rows[own], gains[0] - gains[1], (-4.0, 4.0))
    name = "effort spent on this state gains more than on others"
    return [Control(name, beyond, beyond.low > 0)]
