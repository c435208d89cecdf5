"""A network as a decider: one forward pass, whatever the objective or the budget."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, Num

from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.masks import FORBIDDEN
from ...core.task import State, Task
from ..networks.feed_forward import Network, flops


class NetworkPolicy(CheckedDecider):
    """Evaluates a learned function: neither another objective nor a budget changes its answer.

    `weights` are the softmax over legal actions of logits / `temperature`. `greedy` takes the
    largest, the first where several are; otherwise the action is drawn from them. Raises
    `NonFiniteError` if the network gives NaN or infinity.
    """

    task: Task
    network: Network
    greedy: bool = eqx.field(static=True)
    temperature: float = eqx.field(static=True)

    def __init__(
        self, task: Task, network: Network, *, greedy: bool = True, temperature: float = 1.0
    ):
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"The temperature must be finite and above 0; got {temperature}.")
        check_fits(task, network)
        self.task, self.network = task, network
        self.greedy, self.temperature = greedy, float(temperature)

    def __repr__(self) -> str:
        how = "greedy" if self.greedy else f"temperature={self.temperature}"
        return f"NetworkPolicy({self.task!r}, {type(self.network).__name__}, {how})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Answer every row by one forward pass; objective and budget are ignored."""
        decision, logits, value = _decide(self, question.state, question.keys)
        check_finite(type(self.network).__name__, logits=logits, value=value)
        return decision, question.memory


def evaluate(
    network: Network,
    observations: Num[Array, "batch ..."],
    legal: Bool[Array, "batch actions"],
) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
    """Logits, `FORBIDDEN` where illegal, and values of a batch. Pure; NaN passes through."""
    logits, value = network.batched(observations.astype(jnp.float32))
    # A NaN for an illegal action is a broken network too, and must not be masked away.
    return jnp.where(legal | ~jnp.isfinite(logits), logits, FORBIDDEN), value


def masked_softmax(
    logits: Float[Array, "*batch actions"], legal: Bool[Array, "*batch actions"]
) -> Float[Array, "*batch actions"]:
    """Softmax over legal actions; exactly zero elsewhere, and everywhere if nothing is legal."""
    return jnp.where(legal, jax.nn.softmax(jnp.where(legal, logits, FORBIDDEN), axis=-1), 0.0)


def check_fits(task: Task, network: Network) -> None:
    """Refuse a network whose shapes are not the task's; nothing is computed."""
    state = jax.eval_shape(task.init, jax.random.key(0))
    shape = jax.eval_shape(task.observe, state).shape
    if (shape, task.traits.actions) != (network.observation_shape, network.actions):
        raise UnsuitableTaskError(
            f"{task!r} has observations of shape {shape} and {task.traits.actions} actions, but "
            f"the network takes {network.observation_shape} and answers with {network.actions}. "
            "Build the network from the task's own shapes."
        )


@eqx.filter_jit
def _decide(
    policy: NetworkPolicy, state: State, keys: Key[Array, " batch"]
) -> tuple[Decision, Float[Array, "batch actions"], Float[Array, " batch"]]:
    """The decision, and what the network itself said, to be checked on the host."""
    legal = jax.vmap(policy.task.legal)(state)
    live = ~jax.vmap(policy.task.terminated)(state)
    raw, value = evaluate(policy.network, jax.vmap(policy.task.observe)(state), legal)
    logits = raw / policy.temperature
    if policy.greedy:
        action = jnp.argmax(jnp.where(legal, logits, FORBIDDEN), axis=-1)
    else:
        action = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, logits, -jnp.inf))
    decision = answer(
        live, action, masked_softmax(logits, legal), value,
        network_evaluations=1, flops=flops(policy.network),
    )  # fmt: skip
    return decision, raw, value
