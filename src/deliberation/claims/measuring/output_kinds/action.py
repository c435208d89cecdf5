"""Actions: a vector of controls within bounds, chosen by a convex programme."""

import numpy as np
from jaxtyping import Float

from ....core.decider import Decider
from ....core.objective import Objective
from ....tasks.one_step import ConvexProgramme
from .answers import AnswerKind, both_signs, descent
from .kind import Outputs


class Action(AnswerKind):
    """The best controls for a linear demand; the other objective demands the opposite."""

    task: ConvexProgramme
    own: Objective
    other: Objective
    direct: Decider
    budget: int = 32

    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """The mean difference over the width of the box."""
        return np.abs(one - other).mean(1) / 2


def make() -> Action:
    """Four controls."""
    problem = ConvexProgramme(size=4)
    return Action(problem, *both_signs(problem, -np.ones(4, np.float32)), descent(problem))
