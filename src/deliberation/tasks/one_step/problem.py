"""Problems with one answer: minimise f(y; x) over y in a box, where x is drawn and seen.

The original amortised optimisation (Amos 2022, "Tutorial on amortized optimization", equation 1):
the state is the context x, the one action is the answer y, the reward is -f(y; x), and the exact
solution is known, so that every gap is exact.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ...core.errors import UnsuitableTaskError
from ...core.objective import Action, Objective
from ...core.task import State, Task, Traits
from ..bases import SoloObjective, SoloTask

LARGEST = 1000
"""No problem has more numbers than this on a side: its matrices have as many rows and columns."""


class Posed(eqx.Module):
    """The context of a problem, and whether it has been answered."""

    context: Float[Array, " context"]
    answered: Bool[Array, ""]


class PosedTask(SoloTask):
    """One answer to a context that is seen: the state is `Posed`."""

    def advance(self, state: Posed, action: Action, key: Key[Array, ""]) -> Posed:
        """Any answer ends the episode."""
        del action, key
        return Posed(state.context, jnp.bool_(True))

    def observe(self, state: Posed) -> Float[Array, " context"]:
        """The context."""
        return state.context

    def terminated(self, state: Posed) -> Bool[Array, ""]:
        """Whether an answer has been given."""
        return state.answered


class Problem(PosedTask):
    """A family of problems: a distribution of contexts, a cost, and where it is least.

    `cost` must be differentiable in the answer. An episode is one answer.
    """

    @property
    @abc.abstractmethod
    def box(self) -> tuple[tuple[int, ...], float, float]:
        """The shape of an answer, and the least and the greatest that its entries may be."""

    @property
    def costs(self) -> tuple[float, float]:
        """The least and the greatest cost of any answer in any context; infinite where unknown."""
        return (-jnp.inf, jnp.inf)

    @abc.abstractmethod
    def draw(self, key: Key[Array, ""]) -> Float[Array, " context"]:
        """A context."""

    @abc.abstractmethod
    def cost(
        self, context: Float[Array, " context"], answer: Float[Array, "..."]
    ) -> Float[Array, ""]:
        """f(y; x), to be as small as can be."""

    @abc.abstractmethod
    def solution(self, context: Float[Array, " context"]) -> Float[Array, "..."]:
        """The best answer in the box."""

    @property
    def traits(self) -> Traits:
        """One player, one answer, no chance after the context is drawn."""
        shape, low, high = self.box
        return Traits(
            players=1, actions=1, horizon=1, discrete=False, shape=shape, low=low, high=high
        )

    @property
    def objective(self) -> Objective:
        """A low cost."""
        return LowCost(self)

    def init(self, key: Key[Array, ""]) -> Posed:
        """A context, not yet answered."""
        return Posed(self.draw(key), jnp.bool_(False))


class LowCost(SoloObjective):
    """The reward of an answer is its cost, negated."""

    problem: Problem

    def reward(self, state: Posed, action: Float[Array, "..."], after: Posed) -> Float[Array, ""]:
        """-f(y; x)."""
        return -self.problem.cost(state.context, action)

    @property
    def bounds(self) -> tuple[float, float]:
        """Nothing is left to be earned once there is an answer."""
        low, high = self.problem.costs
        return (min(-high, 0.0), max(-low, 0.0))

    def heuristic(self, state: Posed) -> Float[Array, ""]:
        """The optimum itself."""
        return self.optimum(state)

    def optimum(self, state: Posed) -> Float[Array, ""]:
        """The cost of the exact solution, negated."""
        best = -self.problem.cost(state.context, self.problem.solution(state.context))
        return jnp.where(state.answered, 0.0, best)


class InferenceProblem(Problem):
    """Answers are the parameters of a distribution q(z; y) that is to be near the posterior p(z|x).

    Offers what learning to infer needs and no more: samples of the joint distribution, its density,
    and samples and the density of q. The posterior itself is only in `cost` and `solution`.
    """

    @abc.abstractmethod
    def draw_joint(
        self, key: Key[Array, ""]
    ) -> tuple[Float[Array, " latents"], Float[Array, " context"]]:
        """What is hidden, and what is seen of it."""

    @abc.abstractmethod
    def log_joint(
        self, context: Float[Array, " context"], latent: Float[Array, " latents"]
    ) -> Float[Array, ""]:
        """log p(x, z) in nats, up to what depends on neither z nor q."""

    @abc.abstractmethod
    def log_density(
        self, answer: Float[Array, "..."], latent: Float[Array, " latents"]
    ) -> Float[Array, ""]:
        """log q(z; y) in nats."""

    @abc.abstractmethod
    def sample(self, answer: Float[Array, "..."], key: Key[Array, ""]) -> Float[Array, " latents"]:
        """z from q(z; y), differentiable in y (reparametrised)."""

    def draw(self, key: Key[Array, ""]) -> Float[Array, " context"]:
        """A context: the observed part of a joint draw."""
        return self.draw_joint(key)[1]


def one_step_return(
    task: Task, objective: Objective, state: State, action: Float[Array, "..."]
) -> Float[Array, ""]:
    """What player 0 gets for the one action of an episode; one model step. Unbatched, pure.

    For deterministic tasks with a horizon of 1 (see `check_one_step`): their key decides nothing.
    """
    after = task.advance(state, action, jax.random.key(0))
    return jnp.asarray(objective(state, action, after))[0]


def check_one_step(task: Task, who: str) -> None:
    """Refuse tasks that are not one continuous answer of one player who sees everything."""
    traits = task.traits
    wrong = {
        "more than one player": traits.players != 1,
        "numbered actions": traits.discrete,
        f"up to {traits.horizon} actions an episode": traits.horizon != 1,
        "chance": not traits.deterministic,
        "hidden state": not traits.fully_observable,
    }
    if any(wrong.values()):
        raise UnsuitableTaskError(
            f"{who} answers problems with one continuous action of one player who sees everything, "
            f"and {task!r} has {', '.join(k for k, v in wrong.items() if v)}. Plan a sequence of "
            "actions with a planner, or pose one action as a task of its own."
        )
