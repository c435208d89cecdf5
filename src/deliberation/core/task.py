"""A task: dynamics and observation, and nothing about what is good."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from .cache import keep_programs
from .errors import (
    BatchMismatchError,
    FinishedGameError,
    ForeignStateError,
    IllegalActionError,
    NoLegalActionError,
    TaskOptionError,
    UnsuitableTaskError,
    WrongKindError,
)
from .failures import as_raised
from .keys import KeyLike, is_key, one_key
from .objective import Action, Objective
from .picture import Picture

State = PyTree
"""Whatever a task keeps; a pytree of arrays. Batches of states carry one leading axis."""
Actions = Int[Array, " batch"] | Float[Array, "batch ..."]
"""An action for each row of a batch."""


@dataclass(frozen=True)
class Traits:
    """What kind of task this is: what a planner or learner has to know before it starts."""

    players: int
    actions: int
    """The width of `Task.legal`: how many actions there are, or 1 where they are continuous."""
    horizon: int
    """No episode is longer than this many actions; where `continuing`, `rollout` cuts it there."""
    deterministic: bool = True
    """An action has one result; chance, if any, is in the first state (as in a deal of cards)."""
    fully_observable: bool = True
    discrete: bool = True
    """Actions are numbered from 0. Otherwise one is an array of `shape`, and every array from `low`
    to `high` is legal as long as the episode lasts; rescale where ranges differ."""
    outcomes: int = 0
    """How many outcomes of chance `Task.outcomes` lists for one action; 0 where there is no chance
    or it cannot be listed, only sampled by `advance`."""
    shape: tuple[int, ...] = ()
    low: float = -1.0
    high: float = 1.0
    continuing: bool = False
    """Episodes need not end: `horizon` is where play is cut, and no part of the rules."""


@dataclass(frozen=True)
class Symmetry:
    """A transformation under which the task is unchanged.

    `observation` maps one observation to its image; action `a` becomes `actions[a]`.
    """

    name: str
    observation: Callable[[Array], Array]
    actions: tuple[int, ...]


class Task(eqx.Module):
    """The rules of a world, pure and unbatched; batch them with `jax.vmap`.

    Players are numbered from 0 and the player to move is read from the state. Two-player tasks
    are zero-sum under their own objective.
    """

    def __check_init__(self) -> None:
        # Whatever this library computes begins with a task, and nothing is compiled before.
        keep_programs()
        _check_numbers(self)

    @property
    @abc.abstractmethod
    def traits(self) -> Traits:
        """Players, actions, horizon and the adjectives."""

    @property
    @abc.abstractmethod
    def objective(self) -> Objective:
        """What is usually wanted here; another can be handed over at decision time."""

    @abc.abstractmethod
    def init(self, key: Key[Array, ""]) -> State:
        """A first state."""

    def starts(self) -> tuple[State, Float[Array, " starts"]] | None:
        """All first states on a leading axis, and how probable each is; None: not listed, as here.

        `init` draws from just this distribution.
        """
        return None

    @abc.abstractmethod
    def advance(self, state: State, action: Action, key: Key[Array, ""]) -> State:
        """The next state after a legal action; undefined for others. Users call `step`."""

    @abc.abstractmethod
    def observe(self, state: State) -> Float[Array, "..."]:
        """What the player to move sees."""

    @abc.abstractmethod
    def legal(self, state: State) -> Bool[Array, " actions"]:
        """Which actions the rules allow; all false once the episode is over.

        Continuous actions are all allowed or none, so there is one answer for them.
        """

    @abc.abstractmethod
    def player(self, state: State) -> Int[Array, ""]:
        """Whose move it is."""

    @abc.abstractmethod
    def terminated(self, state: State) -> Bool[Array, ""]:
        """Whether the episode is over, by the rules: from here on nothing is earned."""

    def truncated(self, state: State) -> Bool[Array, ""]:
        """Whether the episode is cut here though the rules would let it go on; never, as here.

        The distinction is Gymnasium's (a time limit that is no part of the problem). `rollout`
        stops here as at an end, but the state keeps its legal actions and its value: who learns
        from the transition into it bootstraps, and who plans looks past it.
        """
        del state
        return jnp.bool_(False)

    def only_cut(self, state: State) -> Bool[Array, ""]:
        """Whether play stops here by a cut alone, so that who learns bootstraps.

        Here: truncated, and not terminated. A world that cannot be stepped past its own cut is
        `terminated` there as well, so that who plans stops where `rollout` does, and true here.
        """
        return self.truncated(state) & ~self.terminated(state)

    def outcomes(self, state: State, action: Action) -> tuple[State, Float[Array, " outcomes"]]:
        """All that chance can make of a legal action: states on a leading axis, and how probable.

        There are always `traits.outcomes` entries; those of probability 0 are padding, whose
        states mean nothing. `advance` draws from just this distribution. Chance alone is listed:
        what is hidden is already part of the state, and `resample` draws it anew.

        Raises `UnsuitableTaskError` unless `traits.outcomes` is positive.
        """
        del state, action
        raise UnsuitableTaskError(
            f"{self!r} does not list the outcomes of an action (traits.outcomes = "
            f"{self.traits.outcomes}). Sample them with `advance` and fresh keys, or define "
            "`outcomes` and set traits.outcomes."
        )

    def resample(self, state: State, key: Key[Array, ""]) -> State:
        """A state drawn from those consistent with what the player to move has seen.

        The identity where everything is seen, as here; tasks that hide anything replace this.
        """
        del key
        return state

    def fingerprint(self, state: State) -> Int[Array, " words"] | Any:
        """Integers that are equal exactly when two states have the same future.

        Here every bit of the state: 64-bit numbers are two words each, keys their words.
        """
        return jnp.concatenate([_words(x) for x in jax.tree.leaves(state)])

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Transformations other than the identity under which the task is unchanged."""
        return ()

    def render(self, state: State) -> str:
        """One state as text, for people: all of it, also what a player does not see."""
        return np.array2string(np.asarray(self.observe(state)))

    def render_seen(self, state: State) -> str:
        """What the player to move sees, as text, for people: nothing that is hidden from it."""
        if self.traits.fully_observable:
            return self.render(state)
        return np.array2string(np.asarray(self.observe(state)), precision=3, max_line_width=90)

    def table_seen(self, state: State) -> tuple[tuple[str, str], ...]:
        """What the player to move sees, as names and values, for people: nothing that is hidden.

        Empty where parts have no names, as here: the numbers of the observation stand for them.
        """
        del state
        return ()

    def picture(self, state: State) -> Picture | None:
        """What the player to move sees, as a board of cells; None where it is none, as here."""
        del state
        return None

    @property
    def action_names(self) -> tuple[str, ...]:
        """A word without spaces for each action, for people; empty where they are just numbers."""
        return ()

    @as_raised
    def step(
        self,
        state: State,
        action: Action | np.ndarray | np.generic | int | float,
        key: KeyLike,
    ) -> State:
        """The next state. Outside of `jit` illegal use raises; inside it is undefined.

        Raises `FinishedGameError`, `IllegalActionError` and `RandomKeyError`. Deciders and
        `rollout` check their choices on the host, so a compiled loop does not pay for the check.
        """
        action = jnp.asarray(action, dtype_of(self.traits))
        if is_concrete((state, action)):
            self._refuse_illegal(state, np.asarray(action))
        return self.advance(state, action, one_key(key))

    def _refuse_illegal(self, state: State, action: np.ndarray) -> None:
        if bool(self.terminated(state)):
            raise FinishedGameError(
                f"Action {action} came after the end of the episode: check `task.terminated(state)`"
                " and start again with `task.init(key)`."
            )
        if not self.traits.discrete:
            self._refuse_outside(state, action)
            return
        legal = np.asarray(self.legal(state))
        if action.shape or not (0 <= action < len(legal) and legal[action]):
            raise IllegalActionError(
                f"Action {action} is illegal here. Legal: {np.flatnonzero(legal).tolist()}.\n"
                + self.render(state)
            )

    def _refuse_outside(self, state: State, action: np.ndarray) -> None:
        traits = self.traits
        if (
            action.shape != traits.shape
            or not ((traits.low <= action) & (action <= traits.high)).all()
        ):
            raise IllegalActionError(
                f"Action {action.tolist()} is illegal here: it must be finite numbers of shape "
                f"{list(traits.shape)} from {traits.low} to {traits.high}.\n" + self.render(state)
            )


_LARGEST = float(np.finfo(np.float32).max)


def _check_numbers(task: Task) -> None:
    """Refuse an option that 32-bit numbers cannot hold: it would be computed with as infinity."""
    for name, value in vars(task).items():
        if isinstance(value, float) and _LARGEST < abs(value) < float("inf"):
            raise TaskOptionError(
                f"{type(task).__name__} takes a {name} within {_LARGEST:.2g} (32-bit numbers hold "
                f"no more); got {value:.6g}."
            )


def _words(x: Array) -> Int[Array, " words"]:
    """Any array as integers of 32 bits, no bit lost; minus zero is zero."""
    x = jax.random.key_data(x) if is_key(x) else jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        x = jnp.stack([x.real, x.imag])
    if jnp.issubdtype(x.dtype, jnp.floating):
        # By its bits: comparing numbers would take the smallest ones for zero.
        bits = 8 * x.dtype.itemsize
        x = jax.lax.bitcast_convert_type(x, f"uint{bits}")
        x = jnp.where(x == np.array(1 << (bits - 1), x.dtype), 0, x)
    if x.dtype.itemsize < 4:
        x = x.astype(jnp.int32)
    return jax.lax.bitcast_convert_type(x, jnp.int32).ravel()


def stopped(task: Task, state: State) -> Bool[Array, ""]:
    """Whether play stops here: at the episode's end, or where it is cut."""
    return task.terminated(state) | task.truncated(state)


def may_be_cut(task: Task) -> bool:
    """Whether episodes can be cut by anything but the rules; for most tasks an end is an end."""
    return task.traits.continuing or type(task).truncated is not Task.truncated


def dtype_of(traits: Traits) -> type[np.int32] | type[np.float32]:
    """The dtype of actions: int32 where they are numbered, float32 where they are continuous."""
    return np.int32 if traits.discrete else np.float32


def is_concrete(tree: PyTree) -> bool:
    """Whether values can be looked at, that is, whether we are outside of `jit` and `vmap`."""
    return not any(isinstance(x, Tracer) for x in jax.tree.leaves(tree))


def is_outside(tree: PyTree) -> bool:
    """Whether nothing is traced: also inside of a function that is compiled and closes over values
    that can be looked at, what is computed from them cannot.
    """
    if not is_concrete(tree):
        return False
    return not isinstance(jax.lax.add(_ONE, _ONE), Tracer)


_ONE = np.int32(1)


def batch_size(state: State) -> int:
    """The common leading axis of a batch of states."""
    sizes = {jnp.shape(x)[:1] for x in jax.tree.leaves(state)}
    if len(sizes) != 1 or sizes == {()}:
        raise BatchMismatchError(
            f"A batch of states needs one common leading axis; found {sorted(sizes)}. "
            "Build one with `jax.vmap(task.init)(keys)`."
        )
    return next(iter(sizes))[0]


def check_is_task(task: Any) -> None:
    """Refuse what is no `Task`, such as an environment that keeps its state to itself."""
    if isinstance(task, type) and issubclass(task, Task):
        raise WrongKindError(f"{task.__name__} is a class of tasks: call it, `{task.__name__}()`.")
    if isinstance(task, str):
        raise WrongKindError(f"{task!r} is a name: make the task by `make_task({task!r})`.")
    if not isinstance(task, Task):
        raise WrongKindError(
            f"{task!r} is no task but a {type(task).__module__}.{type(task).__qualname__}: "
            "subclass `deliberation.Task`, whose rules are pure functions of a state "
            "(`make_task` builds one by name)."
        )


def check_batch(task: Task, state: State) -> None:
    """Refuse states of another task, and those that are live but leave no legal action."""
    stuck = _stuck(task, state)
    if is_concrete(stuck) and np.asarray(stuck).any():
        row = int(np.argmax(stuck))
        raise NoLegalActionError(
            f"Row {row} is not terminal and has no legal action; the task must end the episode.\n"
            + task.render(jax.tree.map(lambda x: x[row], state))
        )


@eqx.filter_jit
def _stuck(task: Task, state: State) -> Bool[Array, " batch"]:
    # Forms are compared while this is traced, so that later calls pay nothing for it.
    _check_own(task, state)
    return jax.vmap(lambda s: ~task.terminated(s) & ~task.legal(s).any())(state)


def _check_own(task: Task, state: State) -> None:
    """Refuse states whose form is not that of `task.init`."""
    own = jax.eval_shape(task.init, jax.random.key(0))
    forms = [jax.tree.flatten(tree) for tree in (state, own)]
    shapes = [[jnp.shape(x) for x in leaves] for leaves, _ in forms]
    rows = [shape[1:] for shape in shapes[0]]
    if forms[0][1] == forms[1][1] and shapes[0] == shapes[1]:
        raise ForeignStateError(
            f"This is one state of {task!r} where a batch of them is needed: make a batch by "
            "`jax.vmap(task.init)(keys)`, or put an axis in front by "
            "`jax.tree.map(lambda x: x[None], state)`."
        )
    if forms[0][1] != forms[1][1] or rows != shapes[1]:
        raise ForeignStateError(
            f"These are not states of {task!r}, whose rows have the form {forms[1][1]} of shapes "
            f"{shapes[1]}; got {forms[0][1]} of {rows}. Make them with `jax.vmap(task.init)(keys)` "
            "and go on by `task.step`."
        )


def check_actions(task: Task, state: State, action: Actions) -> None:
    """Raise `IllegalActionError` where a live row's action is illegal."""
    bad = np.asarray(_illegal(task, state, action))
    if bad.any():
        row = int(np.argmax(bad))
        task._refuse_illegal(jax.tree.map(lambda x: x[row], state), np.asarray(action[row]))


@eqx.filter_jit
def _illegal(task: Task, state: State, action: Actions) -> Bool[Array, " batch"]:
    def bad(s: State, a: Action) -> Bool[Array, ""]:
        legal, traits = task.legal(s), task.traits
        if traits.discrete:
            inside = (a >= 0) & (a < legal.shape[0])
            fits = inside & legal[jnp.clip(a, 0, legal.shape[0] - 1)]
        else:
            inside = ((traits.low <= a) & (a <= traits.high)).all()
            fits = (a.shape == traits.shape) & inside
        return ~stopped(task, s) & ~fits

    return jax.vmap(bad)(state, action)
