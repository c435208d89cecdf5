"""Categories: a label for an input, where the probability of each class is known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ....core.decider import Decider
from ....core.objective import Objective
from ....core.task import State
from ....direct import TreeSearch
from ....tasks.one_step import Labelling, Utility
from .kind import Outputs, PosedKind, cross_entropy, hot


class Category(PosedKind):
    """The label of the highest expected utility; the other objective rewards the next class's."""

    task: Labelling
    own: Objective
    other: Objective
    direct: Decider
    budget: int = 32

    @property
    def numbers(self) -> int:
        """A logit a label."""
        return self.task.classes

    def solve(self, states: State, objective: Objective) -> Outputs:
        """Bayes' rule."""
        return self._expected(states, objective).argmax(1)

    def worth(
        self, states: State, outputs: Outputs, objective: Objective
    ) -> Float[np.ndarray, " n"]:
        """The expected utility."""
        return self._expected(states, objective)[np.arange(len(outputs)), outputs]

    def _expected(self, states: State, objective: Objective) -> Float[np.ndarray, "n labels"]:
        assert isinstance(objective, Utility)
        return np.asarray(jax.vmap(objective.expected)(states))

    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """Whether the labels differ."""
        return (one != other).astype(float)

    def target(self, outputs: Outputs) -> Float[np.ndarray, "n numbers"]:
        """The label alone."""
        return hot(outputs, self.numbers)

    def loss(
        self, raw: Float[Array, "batch numbers"], wanted: Float[Array, "batch numbers"]
    ) -> Float[Array, ""]:
        """The cross-entropy."""
        return cross_entropy(raw, wanted)

    def read(self, raw: Float[np.ndarray, "n numbers"]) -> Outputs:
        """The label with the highest logit."""
        return np.asarray(jnp.argmax(raw, axis=1))


def make() -> Category:
    """Six classes of inputs with four features."""
    task = Labelling()
    other = np.roll(np.eye(task.classes, dtype=np.float32), 1, axis=0)
    return Category(task, task.objective, task.valued(other), TreeSearch(task, "uct"))
