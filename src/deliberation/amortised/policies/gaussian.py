"""A Gaussian policy for continuous actions: a network for the mean, learned spreads, a decider."""

import math
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.answering import answer, checked_keys, timed
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.objective import Objective
from ...core.task import State, Task, Traits
from ..networks.actor_critic import Tower, climb, towers
from ..networks.feed_forward import Buildable


class GaussianMLP(Buildable):
    """Two towers of `depth` layers of `width` tanh units: the mean of an action, and a value.

    `log_sd` is the learned logarithm of a standard deviation for each number of an action, the same
    in every state. Means and deviations are in units of half the range of actions around its
    middle, so that the network need not know the bounds. Unbatched.
    """

    kind: ClassVar[str] = "gaussian_mlp"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    actor: Tower
    critic: Tower
    log_sd: Float[Array, " numbers"]

    def __init__(
        self,
        observation_shape: Sequence[int],
        shape: Sequence[int],
        width: int = 64,
        depth: int = 2,
        *,
        log_sd: float = 0.0,
        key: Key[Array, ""],
    ):
        self.observation_shape, self.shape = tuple(observation_shape), tuple(shape)
        numbers = math.prod(shape)
        inputs = math.prod(observation_shape)
        self.actor, self.critic = towers(inputs, numbers, width, depth, key)
        self.log_sd = jnp.full(numbers, log_sd, jnp.float32)

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " numbers"], Float[Array, " numbers"], Float[Array, ""]]:
        """Mean and log standard deviation of the scaled, flattened action; and the value."""
        x = observation.reshape(-1).astype(jnp.float32)
        return climb(self.actor, x), self.log_sd, climb(self.critic, x)[0]

    @property
    def multiply_adds(self) -> int:
        """The number of weights: each is used once."""
        return sum(layer.w.size for layer in (*self.actor, *self.critic))

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width and depth; plain JSON."""
        return {
            "kind": self.kind,
            "observation_shape": list(self.observation_shape),
            "shape": list(self.shape),
            "width": self.actor[0].w.shape[1],
            "depth": len(self.actor) - 1,
        }


def scaled(traits: Traits, raw: Float[Array, "batch numbers"]) -> Float[Array, "batch ..."]:
    """Actions within the task's bounds from what the policy drew: clipped, stretched, shaped."""
    middle, half = (traits.high + traits.low) / 2, (traits.high - traits.low) / 2
    inside = jnp.clip(middle + half * raw, traits.low, traits.high)
    return inside.reshape(raw.shape[0], *traits.shape)


def log_density(
    raw: Float[Array, "batch numbers"],
    mean: Float[Array, "batch numbers"],
    log_sd: Float[Array, "batch numbers"],
) -> Float[Array, " batch"]:
    """Log density of independent normal numbers, in nats."""
    z = (raw - mean) * jnp.exp(-log_sd)
    return -(0.5 * jnp.square(z) + log_sd + 0.5 * math.log(2 * math.pi)).sum(-1)


class GaussianPolicy(Decider):
    """Evaluates a Gaussian policy: neither another objective nor a budget changes its answer.

    `greedy` answers the mean; otherwise the action is drawn. Both are clipped to the task's bounds.
    `weights` are a single 1, over the action alone. Raises `NonFiniteError` if the network gives
    NaN or infinity, `UnsuitableTaskError` for numbered actions or other shapes.
    """

    task: Task
    network: GaussianMLP
    greedy: bool = eqx.field(static=True)

    def __init__(self, task: Task, network: GaussianMLP, *, greedy: bool = True):
        check_gaussian(task, network)
        self.task, self.network, self.greedy = task, network, greedy

    def __repr__(self) -> str:
        how = "mean" if self.greedy else "drawn"
        return f"GaussianPolicy({self.task!r}, {type(self.network).__name__}, {how})"

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Answer every row by one forward pass; the objective is ignored, the budget only read."""
        del objective
        keys = checked_keys(self.task, state, budget, key)
        started = time.perf_counter()
        decision, mean, value = _decide(self, state, keys)
        check_finite(type(self.network).__name__, mean=mean, value=value)
        return timed(decision, started), memory


def check_gaussian(task: Task, network: GaussianMLP) -> None:
    """Refuse a task of numbered actions, and a network whose shapes are not the task's."""
    traits = task.traits
    if traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has numbered actions, and a Gaussian policy gives continuous ones. Use a "
            "network with logits (`MLP`) and `NetworkPolicy`."
        )
    state = jax.eval_shape(task.init, jax.random.key(0))
    shape = jax.eval_shape(task.observe, state).shape
    if (shape, traits.shape) != (network.observation_shape, network.shape):
        raise UnsuitableTaskError(
            f"{task!r} has observations of shape {shape} and actions of shape {traits.shape}, but "
            f"the network takes {network.observation_shape} and answers with {network.shape}. "
            "Build the network from the task's own shapes."
        )


@eqx.filter_jit
def _decide(
    policy: GaussianPolicy, state: State, keys: Key[Array, " batch"]
) -> tuple[Decision, Float[Array, "batch numbers"], Float[Array, " batch"]]:
    """The decision, and what the network itself said, to be checked on the host."""
    task = policy.task
    live = ~jax.vmap(task.terminated)(state)
    mean, log_sd, value = jax.vmap(policy.network)(jax.vmap(task.observe)(state))
    raw = mean
    if not policy.greedy:
        raw = raw + jnp.exp(log_sd) * jax.vmap(lambda k: jax.random.normal(k, raw.shape[1:]))(keys)
    decision = answer(
        live, scaled(task.traits, raw), None, value,
        network_evaluations=1, flops=2.0 * policy.network.multiply_adds,
    )  # fmt: skip
    return decision, mean, value
