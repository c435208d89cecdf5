"""What continuous outputs of one step have in common: problems whose data can change their sign."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ....amortised.policies.answer import cut_off
from ....core.decider import Decider
from ....core.objective import Objective
from ....core.task import State
from ....tasks.bases import SoloObjective
from ....tasks.one_step import Posed, Problem, one_step_return
from .kind import Outputs, PosedKind


class Signed(SoloObjective):
    """The problem as if its data had other signs: a low cost in the context times `signs`."""

    problem: Problem
    signs: Float[Array, " context"]

    def reward(self, state: Posed, action: Float[Array, "..."], after: Posed) -> Float[Array, ""]:
        """The cost, negated."""
        return -self.problem.cost(self.signs * state.context, action)

    def solution(self, state: Posed) -> Float[Array, "..."]:
        """The best answer."""
        return self.problem.solution(self.signs * state.context)


class AnswerKind(PosedKind):
    """A continuous output: the answer to a problem whose exact solution is known."""

    task: eqx.AbstractVar[Problem]

    @property
    def numbers(self) -> int:
        """As many as an answer has."""
        return int(np.prod(self.task.traits.shape))

    def solve(self, states: State, objective: Objective) -> Outputs:
        """By the problem's own formula or solver."""
        assert isinstance(objective, Signed)
        return np.asarray(_solve(objective, states))

    def worth(
        self, states: State, outputs: Outputs, objective: Objective
    ) -> Float[np.ndarray, " n"]:
        """The cost, negated."""
        return np.asarray(_worth(self.task, objective, states, jnp.asarray(outputs)))

    def target(self, outputs: Outputs) -> Float[np.ndarray, "n numbers"]:
        """The answer in units of half its range."""
        middle, half = self._range
        return (outputs.reshape(len(outputs), -1) - middle) / half

    def loss(
        self, raw: Float[Array, "batch numbers"], wanted: Float[Array, "batch numbers"]
    ) -> Float[Array, ""]:
        """The squared error."""
        return jnp.square(cut_off(raw, -1.0, 1.0) - wanted).sum(1).mean()

    def read(self, raw: Float[np.ndarray, "n numbers"]) -> Outputs:
        """Cut off at the ends of the range."""
        middle, half = self._range
        shape = (len(raw), *self.task.traits.shape)
        return (middle + half * np.clip(raw, -1.0, 1.0)).reshape(shape)

    @property
    def _range(self) -> tuple[float, float]:
        traits = self.task.traits
        return (traits.high + traits.low) / 2, (traits.high - traits.low) / 2

    @abc.abstractmethod
    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """As the outputs mean."""


@eqx.filter_jit
def _solve(objective: Signed, states: State) -> Float[Array, "n ..."]:
    return jax.vmap(objective.solution)(states)


@eqx.filter_jit
def _worth(
    task: Problem, objective: Objective, states: State, outputs: Float[Array, "n ..."]
) -> Float[Array, " n"]:
    return jax.vmap(lambda s, a: one_step_return(task, objective, s, a))(states, outputs)


def both_signs(problem: Problem, turned: Float[np.ndarray, " context"]) -> tuple[Signed, Signed]:
    """The problem's own objective, and that with the data turned."""
    return Signed(problem, jnp.ones(len(turned))), Signed(problem, jnp.asarray(turned))


def descent(problem: Problem) -> Decider:
    """Gradient descent on whatever objective it is told."""
    from ....direct import GradientDescent

    return GradientDescent(problem)
