"""A stochastic policy that was learned: good actions are drawn more often."""

import numpy as np

from ...core.answering import Question
from ..coded import Coded, greedy

SPECIMEN = {
    "name": "softmax_policy",
    "title": "stochastic policy",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "match": "none", "extraction": "none", "depth": "none",
    },
    "why": "It draws by probabilities that were settled beforehand, by the values of actions, "
    "however far one has to look to see them.",
}  # fmt: skip
TEMPERATURE = 0.3


class Softmax(Coded):
    """Draws by the own values, divided by a temperature."""

    temperature: float = TEMPERATURE

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The largest of values and Gumbel noise, so that draws follow a softmax."""
        del question
        values = self.exam.values[rows] / (self.temperature * self.exam.span)
        seeds = (draws[:, 0] * 2**31).astype(int)
        noise = np.stack([np.random.default_rng(s).gumbel(size=values.shape[1]) for s in seeds])
        return greedy(np.where(np.isnan(values), np.nan, values + noise), draws[:, 1])


CODED = Softmax
