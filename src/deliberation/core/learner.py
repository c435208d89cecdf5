"""A learner: acts in a small world whose states are numbered, and goes on learning from it.

What a learner *came to* is a decider's affair; this is for questions about learning itself: what it
revises when a reward, or a way, is seen to have changed, and what the training makes it care for.
"""

import abc
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, Key

Knowledge = Any
"""What a learner has learned so far: a pytree of arrays, the same shapes throughout."""


class Experience(NamedTuple):
    """One step as the learner saw it; `over` says that nothing follows `after`."""

    state: Int[Array, ""]
    action: Int[Array, ""]
    reward: Float[Array, ""]
    after: Int[Array, ""]
    over: Bool[Array, ""]


class Learner(eqx.Module):
    """Whatever learns step by step, as pure functions that can be batched (`jax.vmap`).

    States and actions are numbers from 0; the learner knows how many there are and nothing else.
    """

    @abc.abstractmethod
    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Knowledge:
        """What is known before anything was seen."""

    @abc.abstractmethod
    def act(
        self, knowledge: Knowledge, state: Int[Array, ""], key: Key[Array, ""]
    ) -> Int[Array, ""]:
        """What it does in a state, exploration included."""

    @abc.abstractmethod
    def learn(self, knowledge: Knowledge, experience: Experience, key: Key[Array, ""]) -> Knowledge:
        """What it knows after one more step."""
