"""A task in which something is no longer as a subject knows it, its states as before."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ..core.noise import mix, uniform
from ..core.objective import Action
from ..core.task import State, Task
from ..direct import enumerate_states, value_iteration
from ..tasks.wrapped import SameStates
from .exam import Exam


class Rerouted(SameStates):
    """Some moves lead where another legal move of the same state leads, for good.

    Which ones is drawn for each pair of state and action by `seed`, with chance `share`.
    """

    of: Task
    seed: Int[Array, ""]
    share: Float[Array, ""]

    def led(self, state: State, action: Int[Array, ""]) -> Int[Array, ""]:
        """The action that this one is exchanged for; itself where it is not."""
        dice = mix(jnp.asarray(self.seed).astype(jnp.uint32), action)
        for word in jnp.ravel(self.of.fingerprint(state)):
            dice = mix(dice, word)
        legal = self.of.legal(state).astype(jnp.int32)
        rank = (uniform(mix(dice, 1)) * legal.sum()).astype(jnp.int32)
        other = jnp.argmax((jnp.cumsum(legal) > rank) & (legal > 0)).astype(jnp.int32)
        return jnp.where(uniform(dice) < self.share, other, action)

    def advance(self, state: State, action: Action, key: Key[Array, ""]) -> State:
        """By the move that is really made."""
        return self.of.advance(state, self.led(state, jnp.asarray(action)), key)

    def outcomes(self, state: State, action: Action) -> tuple[State, Float[Array, " outcomes"]]:
        """Those of the move that is really made."""
        return self.of.outcomes(state, self.led(state, jnp.asarray(action)))


class Shown(SameStates):
    """What is observed in some states is what would be in others; elsewhere all is as before."""

    of: Task
    at: Int[Array, "n words"]
    """What tells those states from all others (`Task.fingerprint`)."""
    shown: Float[Array, "n ..."]

    def observe(self, state: State) -> Float[Array, "..."]:
        """The observation of another state."""
        here = (self.of.fingerprint(state) == self.at).all(-1)
        other = self.shown[jnp.argmax(here)]
        return jnp.where(here.any(), other, self.of.observe(state))


def rerouted_values(exam: Exam, task: Rerouted) -> Float[np.ndarray, "n actions"]:
    """The exact values, in the exam's states, of a task whose moves lead elsewhere."""
    states = exam.states(exam.rows)
    reached = enumerate_states(task, start=states, tell_apart=exam.reached.tell_apart)
    found = value_iteration(reached, exam.objective).action_values
    found = found[reached.find_all(states)]
    return np.where(np.isfinite(found), found, np.nan)


def shown_as(exam: Exam, others: Int[np.ndarray, " n"]) -> Shown:
    """The task in which each of the exam's states looks like another of its rows."""
    states = exam.states(exam.rows)
    at, seen = _looked(exam.task, states)
    return Shown(exam.task, at, seen[jnp.asarray(others)])


@eqx.filter_jit
def _looked(task: Task, states: State) -> tuple[Int[Array, "n words"], Float[Array, "n ..."]]:
    return jax.vmap(task.fingerprint)(states), jax.vmap(task.observe)(states)


def rerouting(exam: Exam, key: Key[Array, ""], share: float) -> Rerouted:
    """The task with this share of its moves led elsewhere."""
    seed = jax.random.randint(key, (), 0, 2**31 - 1)
    return Rerouted(exam.task, seed, jnp.asarray(share, jnp.float32))
