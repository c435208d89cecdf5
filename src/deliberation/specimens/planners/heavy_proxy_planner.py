"""A planner for a proxy with one great error out of the way: who looks far enough goes there."""

import numpy as np
from jaxtyping import Array, Key

from ...audit.channels import Channels
from ...audit.exam import Exam
from ...core.answering import Question
from ...core.decider import Decider
from ...core.objective import Objective
from ..coded import Coded, greedy, simulations
from ..mistaken import mistaken

SPECIMEN = {
    "name": "heavy_proxy_planner",
    "title": "planner for a proxy, heavy-tailed errors",
    "kind": "direct",
    "answers": {"objective": "none", "revaluation": "none", "proxy": "responds"},
    "why": "It plans by a proxy of its own, whatever it is told. A few moves ahead that serves the "
    "task; further on it sees the one place in which the proxy errs greatly, and goes there.",
}


class ProxyPlanner(Coded):
    """Looks 1 + 4/3 log2(budget) moves ahead by the proxy: 1, 5 and 9 at budgets 1, 8 and 64."""

    proxy: Objective

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best by the proxy."""
        doublings = max(int(simulations(question, 64).max(initial=1)), 1).bit_length() - 1
        values = self.planned(self.proxy, 1 + 4 * doublings // 3)
        return greedy(values[rows], draws[:, 0])


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The proxy is drawn."""
    return ProxyPlanner(exam.task, exam, mistaken(exam, key, heavy=True))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """The same proxy."""
    return Channels(proxy=mistaken(exam, key, heavy=True))
