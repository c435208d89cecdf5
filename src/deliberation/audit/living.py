"""Letting learners live in small worlds: many trainings side by side, in one compiled program.

A world here is no task: its states are numbers that mean something else in each training, and its
trainings may meet (one may act where another has been). What a learner is, is not looked at: it
begins, acts and learns.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from ..core.errors import IllegalActionError, NonFiniteError, WrongKindError
from ..core.learner import Experience, Knowledge

Keys = Key[Array, " trainings"]
Learns = Any
"""A `Learner`, or whatever begins, acts and learns as one does (checked by `born`)."""
States = Int[Array, " trainings"]
Acted = Int[Array, " trainings"]


class Moment(NamedTuple):
    """Where every training stands: the state it sees, whatever the world keeps beside, and whether
    its time still runs (else nothing more is asked or learned).
    """

    state: States
    beside: Any
    live: Bool[Array, " trainings"]


class World(eqx.Module):
    """A world for many trainings at once; `size` is how many states and actions there are."""

    size: ClassVar[tuple[int, int]]

    @abc.abstractmethod
    def enter(self, keys: Keys) -> Moment:
        """The first moment of every training."""

    @abc.abstractmethod
    def step(self, moment: Moment, action: Acted, keys: Keys) -> tuple[Moment, Experience, Any]:
        """The next moment, what each training saw, and what is noted of it."""


class Life(NamedTuple):
    """What every training knows, where it stands, and the steps that it has lived."""

    known: Knowledge
    moment: Moment
    steps: Int[Array, ""]


def born(learner: Learns, world: World, keys: Keys) -> Life:
    """Trainings that have seen nothing yet; equal keys make equal ones.

    Raises `WrongKindError` for what is no learner, or one whose knowledge changes its form.
    """
    _check_form(learner, world)
    known, moment = _born(learner, world, keys)
    return Life(known, moment, jnp.int32(0))


def enter(life: Life, world: World, keys: Keys) -> Life:
    """The same trainings at the first moment of another world, or of the same one changed."""
    return life._replace(moment=_entered(world, keys))


def live(learner: Learns, world: World, life: Life, keys: Keys, steps: int) -> tuple[Life, Any]:
    """Go on for some steps; what the world notes of each has the steps in front.

    Raises `IllegalActionError` for actions that there are not, and `NonFiniteError` for NaN in what
    is known.
    """
    known, moment, least, most, noted = _lived(learner, world, life, keys, steps)
    _check(learner, world, known, np.array([least, most]))
    return Life(known, moment, life.steps + steps), jax.device_get(noted)


def tested(
    learner: Learns, world: World, life: Life, state: States, keys: Keys, draws: int
) -> Int[np.ndarray, "draws trainings"]:
    """What every training would do in a state, drawn so many times; nothing is learned by it.

    Raises `IllegalActionError`.
    """
    action = np.asarray(_tested(learner, life.known, state, keys, draws))
    _check(learner, world, life.known, action)
    return action


def each(key: Key[Array, ""], trainings: int) -> Keys:
    """A key for each training."""
    return jax.random.split(key, trainings)


@eqx.filter_jit
def _born(learner: Learns, world: World, keys: Keys) -> tuple[Knowledge, Moment]:
    pairs = jax.vmap(jax.random.split)(keys)
    known = jax.vmap(lambda k: learner.begin(*world.size, k))(pairs[:, 0])
    return known, world.enter(pairs[:, 1])


@eqx.filter_jit
def _entered(world: World, keys: Keys) -> Moment:
    return world.enter(keys)


@eqx.filter_jit
def _lived(learner: Learns, world: World, life: Life, keys: Keys, steps: int) -> Any:
    def learned(known: Knowledge, seen: Experience, runs: Array, key: Array) -> Knowledge:
        new = learner.learn(known, seen, key)
        return jax.tree.map(lambda n, o: jnp.where(runs, n, o), new, known)

    def step(carry: Any, moment_of_time: Array) -> tuple[Any, Any]:
        known, moment, least, most = carry
        now = jax.vmap(lambda k: jax.random.split(jax.random.fold_in(k, moment_of_time), 3))(keys)
        action = jax.vmap(learner.act)(known, moment.state, now[:, 0])
        taken = jnp.clip(action, 0, world.size[1] - 1).astype(jnp.int32)  # refused afterwards
        after, seen, noted = world.step(moment, taken, now[:, 1])
        known = jax.vmap(learned)(known, seen, moment.live, now[:, 2])
        least, most = jnp.minimum(least, action.min()), jnp.maximum(most, action.max())
        return (known, after, least, most), noted

    first = (life.known, life.moment, jnp.int32(0), jnp.int32(0))
    times = life.steps + jnp.arange(steps)
    (known, moment, least, most), noted = jax.lax.scan(step, first, times)
    return known, moment, least, most, noted


@eqx.filter_jit
def _tested(learner: Learns, known: Knowledge, state: Array, keys: Keys, draws: int) -> Array:
    def once(number: Array) -> Array:
        now = jax.vmap(lambda k: jax.random.fold_in(k, number))(keys)
        return jax.vmap(learner.act)(known, state, now)

    return jax.lax.map(once, jnp.arange(draws))


def _check_form(learner: Learns, world: World) -> None:
    for name in ("begin", "act", "learn"):
        if not callable(getattr(learner, name, None)):
            raise WrongKindError(f"{learner!r} cannot {name}: a learner begins, acts and learns.")
    key, number = jax.random.key(0), jnp.int32(0)
    seen = Experience(number, number, jnp.float32(0), number, jnp.bool_(False))
    known = jax.eval_shape(lambda k: learner.begin(*world.size, k), key)
    action = jax.eval_shape(learner.act, known, number, key)
    if getattr(action, "shape", None) != () or not jnp.issubdtype(action.dtype, jnp.integer):
        raise WrongKindError(f"{learner!r} acts by {action}, which is not one whole number.")
    after = jax.eval_shape(learner.learn, known, seen, key)
    forms = [
        jax.tree.map(lambda x: (tuple(x.shape), str(x.dtype)), tree) for tree in (known, after)
    ]
    if forms[0] != forms[1]:
        raise WrongKindError(
            f"What {learner!r} knows changes its form by learning, from {forms[0]} to {forms[1]}: "
            "give arrays of the same shapes and kinds."
        )


def _check(learner: Learns, world: World, known: Knowledge, action: np.ndarray) -> None:
    """Infinity may stand in what is known (as for what was never seen); NaN says nothing."""
    for x in jax.tree.leaves(known):
        if jnp.issubdtype(x.dtype, jnp.inexact) and (bad := np.isnan(np.asarray(x))).any():
            count = int(bad.reshape(len(bad), -1).any(1).sum())
            raise NonFiniteError(
                f"{learner!r} has NaN in what it knows, in {count} of {len(bad)} trainings. Check "
                "its step size, and what it divides by."
            )
    wrong = action[(action < 0) | (action >= world.size[1])]
    if wrong.size:
        raise IllegalActionError(
            f"{learner!r} took action {int(wrong.flat[0])}; there are {world.size[1]}, from 0."
        )
