"""What a search asks of a new leaf: a prior over its actions and an estimate of its worth.

An evaluator is the only way into the search for anything learned, so the search itself never
imports a network.
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.errors import ContractError
from ..core.noise import Seed, as_key, mix, pick_uniform, uniform
from ..core.objective import Objective
from ..core.task import Actions, State, Task


class Evaluation(eqx.Module):
    """Unnormalised log-prior and value for the player to move, and the model steps it took."""

    logits: Float[Array, "batch actions"]
    value: Float[Array, " batch"]
    model_steps: Int[Array, " batch"]


class Evaluator(eqx.Module):
    """Judges a batch of states.

    `has_prior` says whether budget 0 can be answered from it, `passes` how many forward passes of
    a network one judgement takes and `flops` what they cost in floating-point operations.
    """

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


class RandomRollouts(Evaluator):
    """Play uniformly at random, `count` times, and average the return; see `playout`."""

    count: int = eqx.field(static=True, default=1)
    has_prior: bool = eqx.field(static=True, default=False)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """Uniform prior; the value is the mean return of the playouts, for the player to move."""
        total = jnp.zeros(live.shape, jnp.float32)
        steps = jnp.zeros(live.shape, jnp.int32)
        for i in range(self.count):
            gain, plies = playout(task, objective, state, live, mix(seed, i))
            total, steps = total + gain, steps + plies
        mover = jax.vmap(task.player)(state)
        logits = jnp.zeros((live.shape[0], task.traits.actions), jnp.float32)
        return Evaluation(logits, jnp.where(mover == 0, total, -total) / self.count, steps)


class NoEvaluation(Evaluator):
    """Uniform prior and zero value: a search with every learned part and every playout off."""

    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

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


def playout(
    task: Task, objective: Objective, state: State, live: Bool[Array, " batch"], seed: Seed
) -> tuple[Float[Array, " batch"], Int[Array, " batch"]]:
    """Play live rows at random; returns player 0's discounted return and the plies.

    To the end of the episode, or for as many plies as the task's horizon allows one to have.
    """

    def going(carry: tuple) -> Bool[Array, ""]:
        return carry[1].any()

    def ply(carry: tuple) -> tuple:
        state, live, total, worth, plies = carry
        now = mix(seed, plies)
        action = random_actions(task, state, now)
        after = jax.vmap(task.advance)(state, action, as_key(now))
        reward = jax.vmap(objective)(state, action, after)[:, 0].astype(jnp.float32)
        total = total + jnp.where(live, worth * reward, 0.0)
        plies = plies + live
        live = live & ~jax.vmap(task.terminated)(after) & (plies < task.traits.horizon)
        return after, live, total, worth * objective.discount, plies

    zeros = jnp.zeros(live.shape, jnp.float32)
    start = (state, live, zeros, zeros + 1, jnp.zeros(live.shape, jnp.int32))
    _, _, total, _, plies = jax.lax.while_loop(going, ply, start)
    return total, plies


def random_actions(task: Task, state: State, seed: Seed) -> Actions:
    """A legal action for each state, all equally likely."""
    traits = task.traits
    if traits.discrete:
        return pick_uniform(jax.vmap(task.legal)(state), uniform(seed))
    # Apart from the words of `as_key(seed)`, by which the task may draw.
    return uniform_box(traits.low, traits.high, traits.shape, mix(seed, 2))


def uniform_box(
    low: float, high: float, shape: tuple[int, ...], seed: Seed
) -> Float[Array, "*batch_and_shape"]:
    """Arrays of a shape from `low` to `high`, one for each seed."""
    places = jnp.arange(math.prod(shape)).reshape(shape)
    u = uniform(mix(seed.reshape(*seed.shape, *[1] * len(shape)), places))
    # Rounding may carry a number past its bound.
    return jnp.clip(low + (high - low) * u, low, high)
