"""A network as a decider over continuous actions: its outputs are the answer itself."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.task import State, Task, Traits
from ..networks.feed_forward import MLP, Network, flops


class AnswerPolicy(CheckedDecider):
    """Evaluates a learned map from contexts to answers: the same whatever is wanted or allowed.

    The network's first outputs, as many as an action has numbers, are the answer in units of half
    the range of actions around its middle, cut off at the bounds; its value is the value. Neither
    another objective nor a budget changes either. Made by `fit_answers`, `fit_objective` or
    `fit_inference`. Raises `NonFiniteError` if the network gives NaN or infinity.
    """

    task: Task
    network: Network

    def __init__(self, task: Task, network: Network):
        check_answers(task, network)
        self.task, self.network = task, network

    def __repr__(self) -> str:
        return f"AnswerPolicy({self.task!r}, {type(self.network).__name__})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Answer every row by one forward pass; objective and budget are ignored."""
        decision, raw, value = _decide(self, question.state)
        check_finite(type(self.network).__name__, answer=raw, value=value)
        return decision, question.memory


def answer_network(
    task: Task, *, width: int = 128, depth: int = 2, key: Key[Array, ""], scored: bool = True
) -> MLP:
    """A multilayer perceptron with a task's shapes, whose first answers are near the middle.

    Without `scored`, its value is zero until something trains it.
    """
    state = jax.eval_shape(task.init, jax.random.key(0))
    shape = jax.eval_shape(task.observe, state).shape
    network = MLP(shape, _numbers(task), width, depth, value_range=None, key=key)
    if not scored:
        zeros = jnp.zeros_like(network.value.w)
        network = eqx.tree_at(lambda n: n.value.w, network, zeros)
    check_answers(task, network)
    return network


def to_action(traits: Traits, raw: Float[Array, " numbers"]) -> Float[Array, "..."]:
    """An action from what a network says: scaled to the range of actions, `cut_off` at the ends."""
    middle, half = (traits.high + traits.low) / 2, (traits.high - traits.low) / 2
    return cut_off(middle + half * raw, traits.low, traits.high).reshape(traits.shape)


def from_action(traits: Traits, action: Float[Array, "..."]) -> Float[Array, " numbers"]:
    """What a network should say to give an action."""
    middle, half = (traits.high + traits.low) / 2, (traits.high - traits.low) / 2
    return (action.reshape(-1) - middle) / half


def cut_off(x: Float[Array, "*batch"], low: float, high: float) -> Float[Array, "*batch"]:
    """Clip to the bounds, with a gradient at and beyond them where descending it leads back inside.

    The plain gradient is zero there, so that an answer that is wrongly at a bound would stay; and
    an answer that is rightly at a bound need not be exact, since any number beyond will do. After
    Hausknecht and Stone (2016, "inverting gradients").
    """
    return _inward(x, low, high)


def _clip(x: Array, low: float, high: float) -> Array:
    return jnp.clip(x, low, high)


def _forward(x: Array, low: float, high: float) -> tuple[Array, Array]:
    return _clip(x, low, high), x


def _backward(low: float, high: float, x: Array, slope: Array) -> tuple[Array]:
    outward = ((x >= high) & (slope < 0)) | ((x <= low) & (slope > 0))
    return (jnp.where(outward, 0.0, slope),)


_inward = jax.custom_vjp(_clip, nondiff_argnums=(1, 2))
_inward.defvjp(_forward, _backward)


def check_answers(task: Task, network: Network) -> None:
    """Refuse numbered actions, and a network whose shapes are not the task's."""
    if task.traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has numbered actions; an answer is a continuous one. Use NetworkPolicy."
        )
    state = jax.eval_shape(task.init, jax.random.key(0))
    shape = jax.eval_shape(task.observe, state).shape
    if (shape, _numbers(task)) != (network.observation_shape, network.actions):
        raise UnsuitableTaskError(
            f"{task!r} has observations of shape {shape} and actions of {_numbers(task)} numbers, "
            f"but the network takes {network.observation_shape} and answers with "
            f"{network.actions}. Build it with `answer_network(task, key=key)`."
        )


def _numbers(task: Task) -> int:
    return math.prod(task.traits.shape)


@eqx.filter_jit
def _decide(
    policy: AnswerPolicy, state: State
) -> tuple[Decision, Float[Array, "batch numbers"], Float[Array, " batch"]]:
    """The decision, and what the network itself said, to be checked on the host."""
    task = policy.task
    live = ~jax.vmap(task.terminated)(state)
    raw, value = policy.network.batched(jax.vmap(task.observe)(state).astype(jnp.float32))
    action = jax.vmap(lambda r: to_action(task.traits, r))(raw)
    decision = answer(live, action, None, value, network_evaluations=1, flops=flops(policy.network))
    return decision, raw, value
