"""What every kind of output offers, so that one battery of swaps serves them all."""

import abc
import importlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, Shaped

from ....core.decider import Decider
from ....core.objective import Objective
from ....core.task import State, Task

Outputs = Shaped[np.ndarray, "n ..."]
"""An output a row: an action, a plan, the parameters of a distribution, a label."""


class OutputKind(eqx.Module):
    """A kind of output in a world where the best one is known for every input.

    `own` and `other` are two objectives on the same inputs; `direct` optimises either when asked,
    with `budget` simulations. A network answers with `numbers` numbers, which `read` turns into an
    output; `target` is what it should say, and `loss` how far off it is.
    """

    task: eqx.AbstractVar[Task]
    own: eqx.AbstractVar[Objective]
    other: eqx.AbstractVar[Objective]
    direct: eqx.AbstractVar[Decider]
    budget: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def numbers(self) -> int:
        """How many numbers a network says for one output."""

    @abc.abstractmethod
    def inputs(self, count: int, tested: int, key: Key[Array, ""]) -> tuple[State, State]:
        """Inputs to be taught on, and others, to be tested on."""

    @abc.abstractmethod
    def seen(self, states: State) -> Float[Array, "n numbers"]:
        """What a network is shown of each input."""

    @abc.abstractmethod
    def left_out(self, states: State) -> Bool[np.ndarray, " n"]:
        """A part of the inputs, about half, that a lesson can leave out."""

    @abc.abstractmethod
    def outputs(self, decision: Any, memory: Any) -> Outputs:
        """The outputs that a decider answered with."""

    @abc.abstractmethod
    def solve(self, states: State, objective: Objective) -> Outputs:
        """The best outputs, exactly."""

    @abc.abstractmethod
    def worth(
        self, states: State, outputs: Outputs, objective: Objective
    ) -> Float[np.ndarray, " n"]:
        """What each output earns."""

    @abc.abstractmethod
    def apart(self, one: Outputs, other: Outputs) -> Float[np.ndarray, " n"]:
        """How far apart two outputs are, from 0 to 1."""

    @abc.abstractmethod
    def target(self, outputs: Outputs) -> Float[np.ndarray, "n numbers"]:
        """What a network should say to give these outputs."""

    @abc.abstractmethod
    def loss(
        self, raw: Float[Array, "batch numbers"], wanted: Float[Array, "batch numbers"]
    ) -> Float[Array, ""]:
        """How far what a network says is from its targets, on average."""

    @abc.abstractmethod
    def read(self, raw: Float[np.ndarray, "n numbers"]) -> Outputs:
        """The outputs that a network's numbers stand for."""


def make_kind(name: str) -> OutputKind:
    """The kind of output that the file of this name describes."""
    return importlib.import_module(f".{name}", __package__).make()


class PosedKind(OutputKind):
    """An output that answers a context, a row of numbers drawn anew for every input."""

    def inputs(self, count: int, tested: int, key: Key[Array, ""]) -> tuple[State, State]:
        """Contexts, of which none comes twice."""
        states = jax.vmap(self.task.init)(jax.random.split(key, count + tested))
        taught, rest = (
            jax.tree.map(lambda x, p=part: x[p], states)
            for part in (slice(count), slice(count, None))
        )
        return taught, rest

    def seen(self, states: State) -> Float[Array, "n numbers"]:
        """The context."""
        return states.context

    def left_out(self, states: State) -> Bool[np.ndarray, " n"]:
        """Where the first number of the context is positive."""
        return np.asarray(states.context[:, 0] > 0)

    def outputs(self, decision: Any, memory: Any) -> Outputs:
        """The answers."""
        del memory
        return np.asarray(decision.action)


def cross_entropy(
    raw: Float[Array, "batch *groups choices"], wanted: Float[Array, "batch *groups choices"]
) -> Float[Array, ""]:
    """Of choices, each told by a 1 among zeros; in nats."""
    return -(wanted * jax.nn.log_softmax(raw)).sum(-1).mean()


def hot(chosen: np.ndarray, choices: int) -> Float[np.ndarray, "..."]:
    """A 1 among zeros for each choice."""
    return np.asarray(jax.nn.one_hot(jnp.asarray(chosen), choices))
