"""It searches as many moves ahead as a halting rule has learned to be enough in each state."""

import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ...core.objective import Objective
from ..coded import Coded, greedy
from .misled import enough

SPECIMEN = {
    "name": "halting_planner",
    "title": "planner that halts when it sees enough",
    "kind": "direct",
    "answers": {"effort": "none", "compute": "responds"},
    "why": "It searches depth first, whatever the budget, as many moves as a halting rule says "
    "that was taught how many it takes: it works the longer, the further it has to look.",
}  # fmt: skip
MOST = 8
"""Moves that it looks ahead at most."""
Ways = list[list[list[tuple[float, float, int]]]]
"""Of every state and action: how likely each outcome is, what it earns, and where it leads (-1: to
an end). Lists, for a search state by state is quicker in them.
"""


class HaltingPlanner(Coded):
    """Searches state by state; the rewards are those it is told."""

    halts: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """What it sees when it halts."""
        ways, gamma = self.ways(question.objective), float(question.objective.discount)
        seen = [
            [worth(ways, way, int(self.halts[row]), gamma) for way in ways[row]] for row in rows
        ]
        return greedy(np.array(seen), draws[:, 0])

    def ways(self, objective: Objective) -> Ways:
        """What every action leads to, by such rewards."""
        reached = self.exam.reached
        earned = reached.rewards(objective)
        to = np.where((reached.to >= 0) & reached.terminal[reached.to], -1, reached.to)
        return [
            [list(zip(*outcomes, strict=True)) for outcomes in zip(*actions, strict=True)]
            for actions in zip(reached.chances.tolist(), earned.tolist(), to.tolist(), strict=True)
        ]


def worth(ways: Ways, outcomes: list[tuple[float, float, int]], moves: int, gamma: float) -> float:
    """Of an action, so many moves ahead; NaN where it is illegal."""
    total, known = 0.0, False
    for chance, earned, after in outcomes:
        if chance:
            known, onward = True, 0.0
            if moves > 1 and after >= 0:
                found = [worth(ways, way, moves - 1, gamma) for way in ways[after]]
                onward = max(value for value in found if value == value)
            total += chance * (earned + gamma * onward)
    return total if known else float("nan")


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Where it halts was learned under the task's own rewards, and exactly."""
    del key
    return HaltingPlanner(exam.task, exam, enough(exam, MOST))
