"""What a search asks of a new leaf: a prior over its actions and an estimate of its worth.

An evaluator is the only way into the search for anything learned, so the search itself never
imports a network.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.errors import ContractError
from ..core.noise import Seed
from ..core.objective import Objective
from ..core.task import State, Task
from .playouts import of_player, random_playouts


class Evaluation(eqx.Module):
    """Unnormalised log-prior and value for the player to move, and the model steps it took.

    `values` is what the state is worth to every player, where the evaluator knows. `stuck` is where
    it came to a live state without a legal action, and could not judge.
    """

    logits: Float[Array, "batch actions"]
    value: Float[Array, " batch"]
    model_steps: Int[Array, " batch"]
    values: Float[Array, "batch players"] | None = None
    stuck: Bool[Array, " batch"] | None = None

    def to_all(self, player: Int[Array, " batch"], players: int) -> Float[Array, "batch players"]:
        """What each state is worth to every player, given who is to move.

        An evaluator that speaks for the player to move gives the others the opposite, which is
        right for two with opposite aims.
        """
        if self.values is not None:
            return self.values
        mine = jnp.arange(players) == player[:, None]
        return jnp.where(mine, self.value[:, None], -self.value[:, None])


class Evaluator(eqx.Module):
    """Judges a batch of states.

    `has_prior` says whether budget 0 can be answered from it, `passes` how many forward passes of
    a network one judgement takes and `flops` what they cost in floating-point operations. One that
    `plays_on` from the states it judges takes one more argument, `left`: how many steps it may play
    from each (None: as many as an episode has); see `ask`.
    """

    plays_on: ClassVar[bool] = False
    has_prior: eqx.AbstractVar[bool]
    passes: eqx.AbstractVar[int]
    flops: eqx.AbstractVar[float]

    @abc.abstractmethod
    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """Judge every row; rows that are not live may be answered with anything finite."""


def ask(
    evaluator: Evaluator,
    task: Task,
    objective: Objective,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
    left: Int[Array, " batch"],
) -> Any:
    """An evaluator's judgement of states with so many steps `left` until the horizon.

    A search has taken steps on its way to a leaf: a playout takes the rest, and no more. What comes
    is an `Evaluation` if the evaluator is sound, which `check_answer` looks at.
    """
    if evaluator.plays_on:
        return evaluator(task, objective, state, live, seed, left=left)  # type: ignore[call-arg]
    return evaluator(task, objective, state, live, seed)


def speaks_for_all(evaluator: Evaluator) -> bool:
    """Whether an evaluator's answers mean something for every player, whatever their aims."""
    return isinstance(evaluator, RandomRollouts | NoEvaluation)


def check_answer(evaluator: Evaluator, answer: Any, batch: int, actions: int) -> None:
    """Refuse an evaluator's answer of the wrong form, before a search is built on it.

    Raises `ContractError` with what was expected and what came.
    """
    expected = {
        "logits": ((batch, actions), jnp.floating),
        "value": ((batch,), jnp.floating),
        "model_steps": ((batch,), jnp.integer),
    }
    for name, (shape, kind) in expected.items():
        given: Any = getattr(answer, name, None)
        found = (getattr(given, "shape", None), getattr(given, "dtype", type(given).__name__))
        if found[0] != shape or not jnp.issubdtype(getattr(given, "dtype", object), kind):
            raise ContractError(
                f"{type(evaluator).__name__} answered a batch of {batch} states with {name} of "
                f"shape {found[0]} and type {found[1]}; a search needs shape {shape} and a "
                f"{kind.__name__} type. Return an `Evaluation` with one row a state."
            )


class Unlearned(Evaluator):
    """One that asks no network."""

    passes: int = eqx.field(static=True, default=0, kw_only=True)
    flops: float = eqx.field(static=True, default=0.0, kw_only=True)


class RandomRollouts(Unlearned):
    """Play uniformly at random to the end, `count` times, and average the return."""

    plays_on: ClassVar[bool] = True
    count: int = eqx.field(static=True, default=1)
    has_prior: bool = eqx.field(static=True, default=False)

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
        left: Int[Array, " batch"] | None = None,
    ) -> Evaluation:
        """Uniform prior; the value is the mean return of the playouts, for the player to move."""
        found = random_playouts(task, objective, state, live, seed, self.count, left)
        logits = jnp.zeros((live.shape[0], task.traits.actions), jnp.float32)
        value = of_player(found.returns, jax.vmap(task.player)(state))
        return Evaluation(logits, value, found.steps, found.returns, found.stuck)


class NoEvaluation(Unlearned):
    """Uniform prior and zero value: a search with every learned part and every playout off."""

    has_prior: bool = eqx.field(static=True, default=True)

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """Nothing is known of any state."""
        del objective, state, seed
        zeros = jnp.zeros((live.shape[0], task.traits.actions), jnp.float32)
        return Evaluation(zeros, zeros[:, 0], jnp.zeros(live.shape, jnp.int32))
