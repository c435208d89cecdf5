"""Chance that a task does not list, as a few draws for each action: a model to plan in."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ..core.errors import UnsuitableTaskError, WrongKindError
from ..core.noise import as_key, mix
from ..core.objective import Action, Objective
from ..core.task import State, Task, Traits, check_is_task


class SampledChance(Task):
    """A model of another task, `of`, in which an action has at most `draws` results, drawn once.

    For planners that ask for the outcomes of an action where the task cannot list them, such as
    `TreeSearch` in an environment of Gymnasium: `TreeSearch(SampledChance(task, 16))` plans in the
    model and plays in the task, whose states both share. Draws depend on the state, the action and
    `salt` alone, never on the keys by which the task itself draws, so nothing is foreseen; equal
    draws are one outcome, as probable as they were many. The more draws, the closer the model is to
    the task. Each listing steps the task `draws` times. It is sparse sampling (Kearns, Mansour and
    Ng 2002): how many draws a good plan needs does not depend on how many states there are.

    Raises `UnsuitableTaskError` for a task without chance, that lists it or that hides anything,
    and `WrongKindError`.
    """

    of: Task
    draws: int = eqx.field(static=True, default=16)
    salt: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        check_is_task(self.of)
        if type(self.draws) is not int or self.draws < 1:
            raise WrongKindError(f"draws={self.draws!r}: a whole number of draws, at least 1.")
        traits = self.of.traits
        if traits.deterministic or traits.outcomes or not traits.fully_observable:
            what = "lists its outcomes itself" if traits.outcomes else "hides some of its state"
            what = "has no chance" if traits.deterministic else what
            raise UnsuitableTaskError(f"{self.of!r} {what}: plan in it as it is.")

    @property
    def traits(self) -> Traits:
        """Those of the task, with so many outcomes."""
        return dataclasses.replace(self.of.traits, outcomes=self.draws)

    def observe(self, state: State) -> Float[Array, "..."]:
        """As in the task."""
        return self.of.observe(state)

    @property
    def objective(self) -> Objective:
        """That of the task."""
        return self.of.objective

    def legal(self, state: State) -> Bool[Array, " actions"]:
        """As in the task."""
        return self.of.legal(state)

    def init(self, key: Key[Array, ""]) -> State:
        """A first state of the task."""
        return self.of.init(key)

    def __repr__(self) -> str:
        return f"SampledChance({self.of!r}, {self.draws})"

    def outcomes(self, state: State, action: Action) -> tuple[State, Float[Array, " outcomes"]]:
        """The draws for this state and action; equal ones are counted at the first of them."""
        seed = _digest(jnp.concatenate([_bits(state), _bits(action)]), self.salt)
        keys = as_key(mix(seed, jnp.arange(self.draws)))
        after = jax.vmap(self.of.advance, (None, None, 0))(state, action, keys)
        bits = jax.vmap(_bits)(after)
        same = (bits[:, None] == bits[None]).all(-1)
        first = jnp.argmax(same, axis=1)
        counts = jnp.zeros(self.draws).at[first].add(1.0)
        return after, counts / self.draws

    def terminated(self, state: State) -> Bool[Array, ""]:
        """As in the task."""
        return self.of.terminated(state)

    def player(self, state: State) -> Int[Array, ""]:
        """As in the task."""
        return self.of.player(state)

    def advance(self, state: State, action: Action, key: Key[Array, ""]) -> State:
        """One of the outcomes."""
        after, chances = self.outcomes(state, action)
        which = jax.random.categorical(key, jnp.log(chances))
        return jax.tree.map(lambda x: x[which], after)

    def truncated(self, state: State) -> Bool[Array, ""]:
        """As in the task."""
        return self.of.truncated(state)

    def only_cut(self, state: State) -> Bool[Array, ""]:
        """As in the task."""
        return self.of.only_cut(state)


def _bits(tree: PyTree) -> Int[Array, " words"]:
    """Every bit of a state: what was earned on the way counts as well as what is to come."""
    return Task.fingerprint(None, tree)  # type: ignore[arg-type]  # which looks at the state alone


def _digest(words: Int[Array, " words"], salt: int) -> Array:
    """One seed for a row of words."""
    places = jnp.arange(words.shape[0])
    each = mix(words.astype(jnp.uint32), places)
    return mix(each.sum(dtype=jnp.uint32), salt)
