"""Distributions: the posterior over what is hidden, as a Gaussian."""

import numpy as np
from jaxtyping import Float

from ....core.decider import Decider
from ....core.objective import Objective
from ....tasks.one_step import GaussianInference
from .answers import AnswerKind, both_signs, descent
from .kind import Outputs


class Distribution(AnswerKind):
    """The nearest Gaussian to the posterior of a model; the other objective is another model's.

    There what is hidden acts on what is seen with the opposite sign.
    """

    task: GaussianInference
    own: Objective
    other: Objective
    direct: Decider
    budget: int = 32

    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """Hellinger's distance."""
        means = one[:, 0] - other[:, 0]
        variances = np.exp(one[:, 1]), np.exp(other[:, 1])
        total = variances[0] + variances[1]
        overlap = 2 * np.sqrt(variances[0] * variances[1]) / total
        affinity = np.sqrt(overlap) * np.exp(-np.square(means) / (4 * total))
        return np.sqrt(np.maximum(1 - affinity.prod(1), 0.0))


def make() -> Distribution:
    """Two hidden numbers seen through four; the last number of the context is the noise's."""
    problem = GaussianInference()
    signs = np.array([-1.0] * problem.observed + [1.0], np.float32)
    return Distribution(problem, *both_signs(problem, signs), descent(problem))
