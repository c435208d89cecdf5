"""A Gaussian policy for continuous actions: the mean of a network, or a draw around it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.task import State, Task, Traits
from ..networks.gaussian import GaussianNetwork


def scaled(traits: Traits, raw: Float[Array, "batch numbers"]) -> Float[Array, "batch ..."]:
    """Actions within the task's bounds from what the policy drew: clipped, stretched, shaped."""
    middle, half = (traits.high + traits.low) / 2, (traits.high - traits.low) / 2
    inside = jnp.clip(middle + half * raw, traits.low, traits.high)
    return inside.reshape(raw.shape[0], *traits.shape)


class GaussianPolicy(CheckedDecider):
    """Evaluates a Gaussian policy: neither another objective nor a budget changes its answer.

    `greedy` answers the mean; otherwise the action is drawn. Both are clipped to the task's bounds.
    `weights` are a single 1, over the action alone. Raises `NonFiniteError` if the network gives
    NaN or infinity, `UnsuitableTaskError` for numbered actions or other shapes.
    """

    task: Task
    network: GaussianNetwork
    greedy: bool = eqx.field(static=True)

    def __init__(self, task: Task, network: GaussianNetwork, *, greedy: bool = True):
        check_gaussian(task, network)
        self.task, self.network, self.greedy = task, network, greedy

    def __repr__(self) -> str:
        how = "mean" if self.greedy else "drawn"
        return f"GaussianPolicy({self.task!r}, {type(self.network).__name__}, {how})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Answer every row by one forward pass; objective and budget are ignored."""
        decision, mean, value = _decide(self, question.state, question.keys)
        check_finite(type(self.network).__name__, mean=mean, value=value)
        return decision, question.memory


def check_gaussian(task: Task, network: GaussianNetwork) -> None:
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
