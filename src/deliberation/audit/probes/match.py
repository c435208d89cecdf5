"""Does it win against itself, where it is offered more effort than the other?"""

import jax
import numpy as np

from ...core.play import random_positions, rollout
from ...core.task import batch_size
from ...runs.findings import Panel, Reference, Series
from ...stats import bootstrap
from ..auditing import Subject
from ..judging import answered, control, not_applicable
from ..profile import Answer
from ..sampling import distinct

PROBE = {
    "name": "match",
    "question": "Does it win against itself, where it is offered more effort than the other?",
    "statistic": "score from -1 to 1 with the largest budget against itself with the smallest, the "
    "mean of both sides of an opening; over openings of a few random moves",
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
PLIES = 4


def measure(subject: Subject) -> Answer:
    """Every opening twice, sides changed; the control plays the largest budget against itself."""
    task, budgets = subject.exam.task, subject.effort.budgets
    if task.traits.players != 2:
        return not_applicable(PROBE, "There is nobody to play against.")
    first, second, third = jax.random.split(subject.key, 3)
    many = random_positions(task, subject.effort.announcements, first, plies=PLIES)
    openings = distinct(task, many)
    count = batch_size(openings)

    def earned(mine: int, other: int, key: jax.Array) -> np.ndarray:
        """By the budget `mine`, for each side and opening."""
        sides = []
        for seat in range(2):
            played = rollout(
                task, [subject.decider] * 2, key=jax.random.fold_in(key, seat), batch=count,
                state=openings, objective=subject.exam.told,
                budget=[mine, other] if seat == 0 else [other, mine],
            )  # fmt: skip
            sides.append(played.returns[:, seat])
        return np.array(sides)

    gained = earned(budgets[-1], budgets[0], second)
    same = earned(budgets[-1], budgets[-1], third)
    unit = max(float(np.abs([gained, same]).max()), 1e-12)  # a win, where all wins are alike
    found, alike = (bootstrap(x.mean(0) / unit, bounds=(-1.0, 1.0)) for x in (gained, same))
    panel = Panel(
        title="Match", x_label="simulations of the other", y_label="score of the largest budget",
        x_scale="log2",
        series=[Series(
            label="subject", x=[float(budgets[0]), float(budgets[-1])],
            y=[found.estimate, alike.estimate], low=[found.low, alike.low],
            high=[found.high, alike.high], kind="points",
        )],
        references=[Reference(label="even", y=0.0)],
    )  # fmt: skip
    even = control("the same budget on either side scores", alike)
    return answered(PROBE, found, WORDS, controls=[even], rules_out=RULES_OUT, panel=panel)
