"""Policies that compute outside of JAX as deciders: observations out, answers back, in batches."""

import abc
import contextlib
import functools
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, Shaped, UInt32

from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decision, Memory, Told, check_finite
from ...core.errors import (
    DeliberationError,
    ForeignMemoryError,
    ForeignPolicyError,
    IllegalActionError,
)
from ...core.failures import PASSING, as_raised
from ...core.task import State, Task, batch_size, is_concrete
from ..calls import ask_host, like, words_of
from .shown import Masks, Observe, as_owned, failed, form_of, shown, to_task


class Asked(NamedTuple):
    """What a policy is asked: live rows alone, as NumPy arrays with one row each.

    `observation` is what its owner would see, `legal` which actions it may take, `uniform` a
    number from [0, 1) to draw with and `words` a seed. `first` says where an episode begins, and
    `carried` what the policy carried away from the decision before (zeros where there was none).
    """

    observation: Any
    legal: np.ndarray
    uniform: np.ndarray
    words: np.ndarray
    first: np.ndarray
    carried: list[np.ndarray]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.legal)

    def only(self, rows: Any) -> "Asked":
        """Some of the rows."""
        return jax.tree.map(lambda x: x[rows], self)


class Said(NamedTuple):
    """What a policy answers, one row each: actions of its own environment, and what it knows.

    `weights` are None where only an action is known, `value` where the policy has none.
    """

    action: np.ndarray
    weights: np.ndarray | None = None
    value: np.ndarray | None = None
    carried: Sequence[np.ndarray] = ()


class Layered(NamedTuple):
    """A network of PyTorch whose layers can be read: how it, or one of the same form, scores
    actions as a tensor, and whether its layers have an axis of places, of which the last counts.
    """

    module: Any
    scores: Callable[[Any, Asked], Any]
    last: bool = False


class Model(abc.ABC):
    """A stranger's policy on the host. Equal only to itself, so that `jit` knows it.

    `carried` is the form of a row of what it carries from one decision to the next; `remembers`
    says whether it is told where episodes begin. `evaluations`, `model_steps` and `flops` are what
    one decision spends, None where nobody knows. `one_by_one` asks for every row by itself, with
    the global generators of random numbers seeded from the row's key.
    """

    name: str = "A policy"
    masked: bool = False
    remembers: bool = False
    one_by_one: bool = False
    carried: tuple[jax.ShapeDtypeStruct, ...] = ()
    evaluations: int | None = None
    model_steps: int | None = None
    flops: float | None = None

    @abc.abstractmethod
    def answer(self, asked: Asked) -> Said:
        """The answers to a batch of at least one row."""

    def layered(self) -> Layered | None:
        """The network whose layers can be read, None where there is none."""
        return None

    def operations(self, observation: Any) -> Any:
        """Floating-point operations of one decision, or of each about a batch of observations, as
        an array; None where nobody knows. Pure.
        """
        del observation
        return self.flops

    def answers(self, asked: Asked) -> Said:
        """The same, row by row where that is asked for."""
        with self.blamed(asked):
            if not self.one_by_one:
                return self.answer(asked)
            parts = []
            for row in range(asked.count):
                with seeded(asked.words[row]):
                    parts.append(self.answer(asked.only(slice(row, row + 1))))
            return jax.tree.map(lambda *x: np.concatenate(x), *parts)

    @contextlib.contextmanager
    def blamed(self, asked: Asked) -> Iterator[None]:
        """Errors that the policy raises, as `ForeignPolicyError` that says whose they are."""
        try:
            yield
        except (DeliberationError, *PASSING):
            raise
        except BaseException as error:  # which would end whoever asks
            how = f"in {asked.count} row{'s' * (asked.count != 1)}, with the batch in front"
            raise failed(self.name, error, asked.observation, how) from error


class PolicyMemory(eqx.Module):
    """What a foreign policy carries on, and whether its episode is about to begin."""

    first: Bool[Array, " batch"]
    carried: tuple[Shaped[Array, "batch ..."], ...]


class HostPolicy(CheckedDecider):
    """A stranger's policy, made by `from_callable`, `from_sb3`, `from_torch` or `from_open_spiel`.

    Objective and budget do not reach it. `observe` and `masks`, where they are given, say what of a
    state the policy sees and which actions it may take. Rows that are over are not asked for.
    Within compiled programs it is called back.
    """

    hears: ClassVar[frozenset[Told]] = frozenset()
    task: Task
    model: Model = eqx.field(static=True)
    observe: Observe | None = eqx.field(static=True, default=None)
    masks: Masks | None = eqx.field(static=True, default=None)

    @property
    def name(self) -> str:
        """What it is, in words: on pages, and in messages."""
        return self.model.name

    def __repr__(self) -> str:
        return f"{self.name} on {self.task!r}"

    def begin(self, batch: int) -> Memory:
        """Episodes are about to begin, with nothing carried; None for policies without memory."""
        if not self.model.remembers:
            return None
        carried = [jnp.zeros((batch, *x.shape), x.dtype) for x in self.model.carried]
        return PolicyMemory(jnp.ones(batch, bool), tuple(carried))

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Ask the policy for the rows that are live."""
        batch, memory = question.keys.shape[0], question.memory
        memory = self.begin(batch) if memory is None else self._own(memory, batch)
        rows = _rows(self.task, self.observe, self.masks, question.state, question.keys)
        given, form = jax.tree.flatten((rows, memory))
        run = functools.partial(_run, self.model, self.task, self.observe is None, form)
        if is_concrete(given):
            found = [jnp.asarray(x) for x in run(*map(np.asarray, given))]
        else:
            found = jax.vmap(lambda *row: ask_host(run, self._like(), *row))(*given)
        flops = self.model.operations(rows.observation)
        decision = self._decision(rows.live, flops, *found[:3])
        if memory is not None:
            memory = PolicyMemory(memory.first & ~rows.live, tuple(found[3:]))
        return decision, memory

    def _own(self, memory: Memory, batch: int) -> Memory:
        if _form(memory) != _form(jax.eval_shape(lambda: self.begin(batch))):
            raise ForeignMemoryError(
                f"This memory is not one of {self!r}: begin with `begin(batch)`, and hand on what "
                "`decide` returns."
            )
        return memory

    def _like(self) -> list[jax.ShapeDtypeStruct]:
        traits = self.task.traits
        action = like((), np.int32) if traits.discrete else like(traits.shape, np.float32)
        weights = like((traits.actions,), np.float32)
        return [action, weights, like((), np.float32), *self.model.carried]

    def _decision(
        self, live: Array, flops: Any, action: Array, weights: Array, value: Array
    ) -> Decision:
        decision = answer(
            live, action, weights if self.task.traits.discrete else None, value,
            network_evaluations=self.model.evaluations or 0,
            model_steps=self.model.model_steps or 0, flops=0.0 if flops is None else flops,
        )  # fmt: skip
        for field, known in (
            ("network_evaluations", self.model.evaluations),
            ("model_steps", self.model.model_steps),
            ("flops", flops),
        ):
            if known is None:
                unknown = lambda d, f=field: getattr(d.spent, f)  # noqa: E731
                decision = eqx.tree_at(unknown, decision, None)
        return decision


def _form(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(np.shape(x), getattr(x, "dtype", type(x))) for x in leaves]


class _Rows(eqx.Module):
    """What is read of every state for the host."""

    observation: Any
    legal: Bool[Array, "*batch actions"]
    live: Bool[Array, "*batch"]
    uniform: Shaped[Array, "*batch"]
    words: UInt32[Array, "*batch 2"]


@eqx.filter_jit
def _rows(
    task: Task,
    observe: Observe | None,
    masks: Masks | None,
    state: State,
    keys: Key[Array, " batch"],
) -> _Rows:
    def one(s: State, key: Key[Array, ""]) -> _Rows:
        legal = task.legal(s)
        allowed = legal if masks is None else legal & jnp.asarray(masks(s), bool)
        seen = shown(task, s) if observe is None else observe(s)
        uniform = jax.random.uniform(key, dtype=jnp.float32)
        return _Rows(seen, allowed, ~task.terminated(s), uniform, words_of(key))

    return jax.vmap(one)(state, keys)


def _run(model: Model, task: Task, owned: bool, form: Any, *given: np.ndarray) -> list[np.ndarray]:
    """Ask a model for live rows: actions of the task, weights, values, and what is carried."""
    rows, memory = jax.tree.unflatten(form, given)
    live, traits = rows.live, task.traits
    count = len(live)
    shape = () if traits.discrete else traits.shape
    action = np.zeros((count, *shape), np.int32 if traits.discrete else np.float32)
    weights, value = np.zeros((count, traits.actions), np.float32), np.zeros(count, np.float32)
    kept = [] if memory is None else [x.copy() for x in memory.carried]
    if live.any():
        seen = as_owned(task, rows.observation) if owned else rows.observation
        first = np.zeros(count, bool) if memory is None else memory.first
        asked = Asked(seen, rows.legal, rows.uniform, rows.words, first, kept).only(live)
        said = checked(model, task, asked, np.flatnonzero(live))
        action[live], weights[live] = said.action, said.weights
        value[live] = said.value
        for old, new in zip(kept, said.carried, strict=True):
            old[live] = new
    return [action, weights, value, *kept]


def asked_about(policy: HostPolicy, states: State) -> Asked:
    """What a policy without memory is asked about a batch of states, none of which is over."""
    keys = jax.random.split(jax.random.key(0), batch_size(states))
    rows = _rows(policy.task, policy.observe, policy.masks, states, keys)
    return _as_asked(policy.task, policy.observe, rows)


def _as_asked(task: Task, observe: Observe | None, rows: _Rows) -> Asked:
    """Rows of first decisions, on the host."""
    held: Any = jax.tree.map(np.array, rows)  # copies, which a policy may write into
    seen = as_owned(task, held.observation) if observe is None else held.observation
    return Asked(seen, held.legal, held.uniform, held.words, np.ones(len(held.live), bool), [])


def checked(model: Model, task: Task, asked: Asked, rows: np.ndarray) -> Said:
    """A policy's answers as the task's own: shapes, finite numbers and legal actions are checked.

    `rows` are the places in the batch, for the messages. Raises `ForeignPolicyError`,
    `NonFiniteError` and `IllegalActionError`.
    """
    said, traits = model.answers(asked), task.traits
    action = np.asarray(said.action)
    value = np.zeros(asked.count) if said.value is None else np.asarray(said.value)
    shape = (asked.count, *(() if traits.discrete else traits.shape))
    if action.shape != shape or action.dtype.kind not in "biuf" or value.shape != shape[:1]:
        raise ForeignPolicyError(
            f"{model.name} answers with actions {form_of(action)} and values {form_of(value)} to "
            f"{asked.count} rows, where {task!r} needs actions of shape {list(shape)} and one "
            "value a row. Check the task, and that the batch is in front."
        )
    check_finite(model.name, action=action, value=value)
    action = to_task(task, _whole(model, action) if traits.discrete else action)
    if not traits.discrete:
        return Said(action, np.ones((asked.count, traits.actions)), value, said.carried)
    _check_legal(model, action, asked.legal, rows)
    weights = said.weights
    if weights is None:
        weights = np.arange(traits.actions) == action[:, None]
    check_finite(model.name, weights=weights)
    return Said(action, weights, value, said.carried)


def _whole(model: Model, action: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # beyond 64 bits: refused below
        whole = np.asarray(action, np.int64)
    if (whole != action).any():
        raise ForeignPolicyError(
            f"{model.name} answers with actions {action.tolist()}, where numbers of actions are "
            "needed: check what its numbers mean (`meaning=` of `from_torch`)."
        )
    return whole


def _check_legal(model: Model, action: np.ndarray, legal: np.ndarray, rows: np.ndarray) -> None:
    inside = (action >= 0) & (action < legal.shape[1])
    fits = inside & legal[np.arange(len(action)), np.where(inside, action, 0)]
    if fits.all():
        return
    bad = int(np.argmin(fits))
    hint = (
        "It was told so: is it trained?"
        if model.masked
        else "It knows nothing of illegal actions: give one that is told which are legal, or one "
        "that answers with logits, probabilities or action values."
    )
    raise IllegalActionError(
        f"{model.name} chose action {action[bad]} in row {rows[bad]}, which is illegal there; "
        f"legal: {np.flatnonzero(legal[bad]).tolist()}. {hint}"
    )


@contextlib.contextmanager
def seeded(words: np.ndarray) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and PyTorch, and put them back afterwards."""
    torch: Any = sys.modules.get("torch")
    kept = random.getstate(), np.random.get_state()
    devices = None if torch is None else torch.get_rng_state()
    seed = [int(word) for word in words]
    random.seed(seed[0] << 32 | seed[1])
    np.random.seed(seed)
    if torch is not None:
        torch.random.default_generator.manual_seed((seed[0] << 32 | seed[1]) & (2**63 - 1))
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        if torch is not None:
            torch.set_rng_state(devices)


@as_raised
def probe(task: Task, observe: Observe | None, count: int, masks: Masks | None = None) -> Asked:
    """First states of a task as a policy is asked about them."""
    keys = jax.random.split(jax.random.key(0), count)
    rows = _rows(task, observe, masks, _begun(task, keys), keys)
    return _as_asked(task, observe, rows)


@eqx.filter_jit
def _begun(task: Task, keys: Key[Array, " batch"]) -> State:
    return jax.vmap(task.init)(keys)


def adapted(
    task: Task, model: Model, observe: Observe | None = None, masks: Masks | None = None
) -> HostPolicy:
    """The decider of a model, once it has answered to two first states of the task as it must."""
    asked = probe(task, observe, 2, masks)
    blank = [np.zeros((2, *x.shape), x.dtype) for x in model.carried]
    checked(model, task, asked._replace(carried=blank), np.arange(2))
    return HostPolicy(task, model, observe, masks)
