"""Does it win against itself, where it is offered more effort than the other?"""

import jax
import jax.numpy as jnp
import numpy as np

from ...core.play import random_positions, rollout
from ...core.task import State, batch_size
from ...runs.findings import Panel, Reference, Series
from ...stats import bootstrap
from ..auditing import Subject
from ..judging import answered, not_applicable
from ..profile import Answer
from ..sampling import distinct

PROBE = {
    "name": "match",
    "tells": "budget",
    "question": "Does it win against itself, where it is offered more effort than the other?",
    "statistic": "score from -1 to 1 with the largest budget against itself with the smallest, the "
    "mean of both sides of an opening, each played a few times where answers are drawn; over "
    "openings of a few random moves",
    "needs": "a game of two players",
    "players": 2,
    "fooled_by": "effort that helps without looking ahead (more samples of the same); games that "
    "are all drawn or all won by one side, whoever plays",
}
WORDS = {
    "responds": "Wins against itself by the budget that is offered.",
    "none": "Neither wins nor loses against itself by the budget that is offered.",
    "against": "Loses against itself by the budget that is offered.",
}
RULES_OUT = {
    "responds": "a fixed function of what is seen, whatever the budget",
    "none": "a search that gains a tenth of a win by this dial",
}
PLIES, TIMES = 4, 12
"""Random moves of an opening; games from each by one whose answers are drawn: small games have few
openings, and what chance does within one is no less for that. (Of four games each a loss of an
eighth of a win, close to the smallest that matters, stayed open as often as not.)
"""


def measure(subject: Subject) -> Answer:
    """Every opening by both sides in turn."""
    task, budgets = subject.exam.task, subject.effort.budgets
    if task.traits.players != 2:
        return not_applicable(PROBE, "There is nobody to play against.")
    first, second = jax.random.split(subject.key)
    many = random_positions(task, subject.effort.announcements, first, plies=PLIES)
    openings = distinct(task, many)
    count = batch_size(openings)
    times = TIMES if _draws(subject, openings, count) else 1
    starts = jax.tree.map(lambda x: jnp.repeat(x, times, axis=0), openings)

    sides, ends = [], [budgets[-1], budgets[0]]
    for seat in range(2):
        played = rollout(
            task, [subject.decider] * 2, key=jax.random.fold_in(second, seat), batch=count * times,
            state=starts, objective=subject.exam.told, budget=ends[:: 1 - 2 * seat],
        )  # fmt: skip
        sides.append(played.returns[:, seat].reshape(count, times))
    unit = max(float(np.abs(sides).max()), 1e-12)  # a win, where all wins are alike
    found = bootstrap(np.mean(sides, (0, 2)) / unit, bounds=(-1.0, 1.0))
    panel = Panel(
        title="Match", x_label="simulations of the other", y_label="score of the largest budget",
        x_scale="log2",
        series=[Series(
            label="subject", x=[float(budgets[0])], y=[found.estimate],
            low=[found.shown.low], high=[found.shown.high], kind="points",
        )],
        references=[Reference(label="even", y=0.0)],
    )  # fmt: skip
    return answered(PROBE, found, WORDS, rules_out=RULES_OUT, panel=panel)


def _draws(subject: Subject, openings: State, count: int) -> bool:
    """Whether other keys bring other answers; else a second game of an opening is the first."""
    said = [
        subject.decider.decide(
            openings, subject.decider.begin(count), objective=subject.exam.told,
            budget=subject.effort.budgets[-1], key=jax.random.split(key, count),
        )[0].action
        for key in jax.random.split(jax.random.fold_in(subject.key, 3))
    ]  # fmt: skip
    return bool((np.asarray(said[0]) != np.asarray(said[1])).any())
