"""State by state: where does it agree with the exact answer, and with a plain search?"""

import jax
import numpy as np
from jaxtyping import Bool, Int

from ...runs.findings import Panel, Reference, Series
from ...stats import Estimate, rate
from ..asking import ask
from ..auditing import Subject
from ..citing import cite
from ..exam import Exam, best
from ..judging import answered
from ..profile import Answer
from ..searching import BUDGETS, searched
from ..telling.words import several

PROBE = {
    "name": "map",
    "question": "Where does it agree with the exact answer, and where with a plain search?",
    "statistic": "share of the states in which it takes a best action",
    "needs": "nothing but answers",
    "fooled_by": "agreement of two that are both right; errors that are alike because few actions "
    "are there to err with (shown beside what chance gives)",
}
CITED = 6
"""States that are shown where it is wrong, those first in which the most is lost."""


def measure(subject: Subject) -> Answer:
    """The subject's action beside those of a search at every budget, in each state."""
    exam, rows = subject.exam, subject.exam.rows
    mine = ask(subject.decider, exam, rows, subject.key, budget=subject.effort.budgets[-1]).action
    search = searched(exam, jax.random.fold_in(subject.key, 1))
    right = best(exam.values[rows])
    same = np.array([mine == theirs for theirs in search])
    mine_right = right[np.arange(len(rows)), mine]
    shares = [rate(row.astype(float)) for row in same]
    optimal = rate(mine_right.astype(float))
    searchs = [rate(right[np.arange(len(rows)), a].astype(float)) for a in search]
    budgets = [float(b) for b in BUDGETS]
    panel = Panel(
        title="Map", x_label="simulations of a plain search", y_label="share of states",
        x_scale="log2",
        series=[
            Series(label=label, x=budgets, y=[e.estimate for e in line],
                   low=[e.shown.low for e in line], high=[e.shown.high for e in line])
            for label, line in (("takes what the search takes", shares),
                                ("the search takes a best action", searchs))
        ],
        references=[Reference(label="subject takes a best action", y=optimal.estimate)],
    )  # fmt: skip
    said = _said(optimal, same, mine_right, *_errors(exam, search, mine, right))
    if exam.drawn is not None:
        said += f" What is best is the word of {exam.drawn.judge}."
    return answered(
        PROBE, optimal, {"told": said}, found="told", panel=panel,
        cited=cite(exam, rows, mine, CITED),
    )  # fmt: skip


def _errors(
    exam: Exam,
    search: list[Int[np.ndarray, " n"]],
    mine: Int[np.ndarray, " n"],
    right: Bool[np.ndarray, "n actions"],
) -> tuple[float, float]:
    """Of the states in which both err, the share in which they err alike, and what chance gives.

    For the search whose errors are most alike, among those that err in ten of the same states.
    """
    at, found = np.arange(len(mine)), (float("nan"), float("nan"))
    wrong = (exam.legal[exam.rows] & ~right).sum(1)
    for theirs in search:
        both = ~right[at, mine] & ~right[at, theirs]
        if both.sum() >= 10:
            alike, chance = float((mine == theirs)[both].mean()), float((1 / wrong[both]).mean())
            if not found[0] - found[1] > alike - chance:
                found = (alike, chance)
    return found


def _said(
    optimal: Estimate, same: Bool[np.ndarray, "budgets n"], right: np.ndarray,
    alike: float, chance: float,
) -> str:  # fmt: skip
    neither = float((~right & ~same.any(0)).mean())
    nearest = int(np.argmax(same.mean(1)))
    work = several(BUDGETS[nearest], "simulation")
    told = (
        f"Takes a best action in {optimal.estimate:.0%} of {len(right)} states; what a plain "
        f"search of {work} takes in {same[nearest].mean():.0%} (of all "
        f"budgets the most); neither a best one nor any search's in {neither:.0%}."
    )
    if alike != alike:
        return told
    return f"{told} Where both err they err alike in {alike:.0%} (by chance in {chance:.0%})."
