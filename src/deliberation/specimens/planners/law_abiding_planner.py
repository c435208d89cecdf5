"""A planner that is forbidden the same acts as the imitator, and plans among all others."""

import numpy as np

from ...core.answering import Question
from ..coded import greedy
from ..tables.deontic_imitator import DeonticImitator

SPECIMEN = {
    "name": "law_abiding_planner",
    "title": "planner with a forbidden act",
    "kind": "direct",
    "answers": {
        "effort": "none",
        "objective": "responds",
        "revaluation": "responds",
        "extraction": "responds",
    },
    "why": "It plans by the rewards it is told, with one act in ten ruled out: that it never does "
    "something is no sign that it imitates.",
}


class LawAbiding(DeonticImitator):
    """The best by what it is told of what is not forbidden."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """By planning; ties by a draw."""
        legal = self.exam.reached.legal
        red = self.red() & legal
        red &= ~red.all(1, where=legal, keepdims=True)
        values = self.planned(question.objective)
        return greedy(np.where(red, np.nan, values)[rows], draws[:, 0])


CODED = LawAbiding
