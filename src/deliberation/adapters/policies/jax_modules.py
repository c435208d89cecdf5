"""Networks and functions written in JAX as deciders: `from_equinox`."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decision, Memory, Told, check_finite
from ...core.errors import (
    ForeignPolicyError,
    IllegalActionError,
    WrongKindError,
)
from ...core.failures import PASSING
from ...core.rows import in_32_bits
from ...core.task import State, Task, check_is_task, is_concrete
from .expected import Score, reproduced
from .shown import Masks, Observe, failed, form_of, shown
from .weighing import SLACK, Meaning, check_meaning


def from_equinox(
    module: Any,
    task: Task,
    meaning: Meaning = "logits",
    *,
    deterministic: bool = True,
    observe: Observe | None = None,
    masks: Masks | None = None,
    expect: Score | float | int | None = None,
) -> "JaxPolicy":
    """A decider from a callable of JAX (an `equinox.Module`, say) that maps one observation.

    It takes one observation without a batch, is batched by `jax.vmap` and compiled;
    `equinox.nn.inference_mode` switches dropout and the like off. `meaning`, a pair with a value,
    `deterministic`, `observe`, `masks`, `expect` and the errors are as in `from_torch`; only the
    shapes are checked at the door, and NaN when it decides.
    """
    check_is_task(task)
    if not callable(module):
        raise WrongKindError(f"{module!r} is no function of an observation.")
    check_meaning(meaning, task.traits.discrete)
    quiet = eqx.nn.inference_mode(module)
    policy = JaxPolicy(task, quiet, meaning, deterministic, observe, masks)
    policy.check_shapes()
    return reproduced(policy, expect)


class JaxPolicy(CheckedDecider):
    """A network in JAX, made by `from_equinox`; objective and budget do not reach it."""

    hears: ClassVar[frozenset[Told]] = frozenset()
    task: Task
    module: Callable[[Any], Any]
    meaning: str = eqx.field(static=True)
    deterministic: bool = eqx.field(static=True)
    observe: Observe | None = eqx.field(static=True)
    masks: Masks | None = eqx.field(static=True)

    @property
    def name(self) -> str:
        """What the messages call it."""
        kind = getattr(self.module, "__name__", type(self.module).__name__)
        what = "equinox module " if isinstance(self.module, eqx.Module) else ""
        return f"{what}{kind} ({self.meaning})"

    def __repr__(self) -> str:
        return f"{self.name} on {self.task!r}"

    def check_shapes(self) -> None:
        """Trace it on one observation: nothing is computed. Raises `ForeignPolicyError`."""
        state = jax.eval_shape(self.task.init, jax.random.key(0))
        seen = jax.eval_shape(self._seen, state)
        try:
            said, value = jax.eval_shape(self._said, state)
        except PASSING:
            raise
        except BaseException as error:
            raise failed(self.name, error, seen, "one by one, without a batch") from error
        traits = self.task.traits
        wanted = (traits.actions,) if self.meaning != "action" else traits.shape
        if said.shape != wanted or (value is not None and value.size != 1):
            raise ForeignPolicyError(
                f"{self.name} answers {form_of((said, value))} to one observation {form_of(seen)}, "
                f"and {self.task!r} needs {list(wanted)}, and one value where there is a value."
            )

    def _seen(self, state: State) -> Any:
        return shown(self.task, state) if self.observe is None else self.observe(state)

    def _said(self, state: State) -> tuple[Array, Array | None]:
        said = self.module(self._seen(state))
        pair = isinstance(said, tuple | list) and len(said) == 2
        first = jnp.asarray(in_32_bits(said[0] if pair else said))
        return first, jnp.asarray(said[1]) if pair else None

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """One forward pass for all rows."""
        decision, said, fits = _decide(self, question.state, question.keys)
        check_finite(self.name, **{self.meaning: said, "value": decision.value})
        if is_concrete(fits):
            self._refuse_misfits(decision, fits, question.state)
        return decision, question.memory

    def _refuse_misfits(self, decision: Decision, fits: Array, state: State) -> None:
        if not bool(fits.all()):
            row = int(jnp.argmin(fits))
            raise IllegalActionError(
                f"{self.name} gives legal actions no probability in row {row}, or chose an action "
                f"{decision.action[row]} that is illegal there, or gives probabilities that are "
                f"negative or do not sum to 1. Check that it is a policy for {self.task!r}, with "
                "actions numbered alike, and what it means to say."
            )


@eqx.filter_jit
def _decide(
    policy: JaxPolicy, state: State, keys: Key[Array, " batch"]
) -> tuple[Decision, Array, Bool[Array, " batch"]]:
    task = policy.task
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state)
    if policy.masks is not None:
        legal = legal & jax.vmap(policy.masks)(state).astype(bool)
    said, value = jax.vmap(policy._said)(state)
    value = jnp.zeros(live.shape) if value is None else value.reshape(live.shape)
    if policy.meaning == "action":
        action, weights, fits = _acted(task, said, legal)
    else:
        said = jnp.where(jnp.isneginf(said) & ~legal, 0.0, said)
        weights, fits = _weights(policy.meaning, said, legal)
        scores = jnp.where(legal, weights if policy.meaning == "probabilities" else said, -jnp.inf)
        if policy.meaning == "q":
            value = jnp.max(scores, axis=-1, where=legal, initial=-jnp.inf)
            value = jnp.where(live, value, 0.0)
        action = jnp.argmax(scores, axis=-1)
        if not policy.deterministic:
            action = jax.vmap(jax.random.categorical)(keys, jnp.log(weights))
    # Rows that are over are asked, too, since a compiled batch has one size; what they say is void.
    said = jnp.where(jnp.expand_dims(live, range(1, said.ndim)), said, 0)
    decision = answer(live, action, weights, value, network_evaluations=1)
    decision = eqx.tree_at(lambda d: d.spent.flops, decision, None)
    return decision, said, fits | ~live


def _acted(
    task: Task, said: Array, legal: Bool[Array, "batch actions"]
) -> tuple[Array, Float[Array, "batch actions"] | None, Bool[Array, " batch"]]:
    """The action itself, all weight on it, and whether it is legal."""
    traits = task.traits
    if not traits.discrete:
        return jnp.clip(said, traits.low, traits.high), None, jnp.ones(len(said), bool)
    action = said.astype(jnp.int32)
    weights = jax.nn.one_hot(action, traits.actions)
    return action, weights, (action == said) & (weights * legal).any(-1)


def _weights(
    meaning: str, said: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> tuple[Float[Array, "batch actions"], Bool[Array, " batch"]]:
    """The distribution over legal actions, and whether there is one."""
    if meaning == "probabilities":
        kept = jnp.where(legal, said, 0.0)
        total = kept.sum(-1, keepdims=True)
        whole = (said >= 0).all(-1) & (jnp.abs(said.sum(-1) - 1) < SLACK)
        return kept / jnp.where(total > 0, total, 1.0), (total[:, 0] > 0) & whole
    masked = jnp.where(legal, said, -jnp.inf)
    fits = legal.any(-1)
    if meaning == "q":
        return jax.nn.one_hot(masked.argmax(-1), said.shape[-1]), fits
    return jnp.where(legal, jax.nn.softmax(masked, axis=-1), 0.0), fits
