"""What becomes of q before it meets the prior: mctx's three transforms, and users' own.

Every sum is taken in mctx's order, so that visit counts come out equal; mctx/_src was read for
that, and none of it copied. A q of -inf, of what is as bad as can be, stays -inf; where q is
rescaled, which by -inf would give NaN, it is left out of the range and of the mixed value.
"""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Any
"""A setting, as users write them: a number of any kind, or an array without axes."""
LEAST = float(jnp.finfo(jnp.float32).tiny)


class Statistics(eqx.Module):
    """What a transform sees of nodes: q, visits and prior for each action, and two values.

    `mean` is that of all returns from the node, `raw` what the model took it to be worth.
    """

    q: Float[Array, "*nodes actions"]
    visits: Float[Array, "*nodes actions"]
    prior: Float[Array, "*nodes actions"]
    mean: Float[Array, "*nodes"]
    raw: Float[Array, "*nodes"]

    @staticmethod
    def of(tree: Any, node: Any) -> "Statistics":
        """Those of one node of one row's tree."""
        return Statistics(
            tree.qvalues(node), tree.children_visits[node].astype(jnp.float32),
            jax.nn.softmax(tree.children_prior_logits[node]), tree.node_values[node],
            tree.raw_values[node],
        )  # fmt: skip


class Transform(eqx.Module):
    """What becomes of q before it meets the prior. `kind` and `settings` are for search.cpp."""

    kind: eqx.AbstractClassVar[int]

    @abc.abstractmethod
    def __call__(self, at: Statistics) -> Float[Array, "*nodes actions"]:
        """One number for each action, visited or not."""

    @property
    @abc.abstractmethod
    def settings(self) -> tuple[Number, ...]:
        """The numbers that the native form needs."""


def _finite(q: Float[Array, "..."]) -> Float[Array, "..."]:
    """q with +inf for -inf, so that the least of it is that of what is not as bad as can be."""
    return jnp.where(q > -jnp.inf, q, jnp.inf)


class Siblings(Transform):
    """Rescaled to [0, 1] by the least and greatest of the node's value and its visited actions."""

    kind: ClassVar[int] = 0
    epsilon: Number = 1e-8

    def __call__(self, at: Statistics) -> Float[Array, "*nodes actions"]:
        """Unvisited actions count as the least."""
        mean, seen = at.mean[..., None], at.visits > 0
        known = jnp.where(seen, at.q, mean)
        low = jnp.minimum(_finite(mean), _finite(known).min(-1, keepdims=True))
        high = jnp.maximum(mean, known.max(-1, keepdims=True))
        return jnp.where(seen, at.q - low, 0.0) / jnp.maximum(high - low, self.epsilon)

    @property
    def settings(self) -> tuple[Number, ...]:
        """The least range."""
        return (self.epsilon,)


class MinMax(Transform):
    """Rescaled by bounds known beforehand."""

    kind: ClassVar[int] = 1
    min_value: Number
    max_value: Number

    def __call__(self, at: Statistics) -> Float[Array, "*nodes actions"]:
        """Unvisited actions count as the least."""
        q = jnp.where(at.visits > 0, at.q, self.min_value)
        return (q - self.min_value) / (self.max_value - self.min_value)

    @property
    def settings(self) -> tuple[Number, ...]:
        """The least value and the range."""
        return (self.min_value, self.max_value - self.min_value)


class Mixed(Transform):
    """Completed by the mixed value and scaled with the visits: sigma of Danihelka et al. (2022)."""

    kind: ClassVar[int] = 2
    value_scale: Number = 0.1
    maxvisit_init: Number = 50.0
    rescale_values: bool = eqx.field(static=True, default=True)
    use_mixed_value: bool = eqx.field(static=True, default=True)
    epsilon: Number = 1e-8

    def __call__(self, at: Statistics) -> Float[Array, "*nodes actions"]:
        """Unvisited actions count as worth the mixed value (appendix D), or the raw one."""
        seen, value = at.visits > 0, at.raw
        if self.use_mixed_value:
            known = seen & (at.q > -jnp.inf) if self.rescale_values else seen
            prior = jnp.where(known, jnp.maximum(at.prior, LEAST), 0.0)
            mass = jnp.where(known, prior.sum(-1, keepdims=True), 1.0)
            total = jnp.where(known, at.visits, 0).sum(-1)
            returned = jnp.where(known, prior * at.q / mass, 0.0).sum(-1)
            value = (at.raw + total * returned) / (total + 1)
        q = jnp.where(seen, at.q, value[..., None])
        if self.rescale_values:
            low, high = _finite(q).min(-1, keepdims=True), q.max(-1, keepdims=True)
            q = (q - low) / jnp.maximum(high - low, self.epsilon)
        return (self.maxvisit_init + at.visits.max(-1, keepdims=True)) * self.value_scale * q

    @property
    def settings(self) -> tuple[Number, ...]:
        """Its fields."""
        flags = (float(self.rescale_values), float(self.use_mixed_value))
        return (self.value_scale, self.maxvisit_init, *flags, self.epsilon)


def qtransform_by_min_max(tree: Any, node_index: Any, *, min_value: Any, max_value: Any) -> Array:
    """q of one node, rescaled from [`min_value`, `max_value`] to [0, 1]; 0 where unvisited."""
    return MinMax(min_value, max_value)(Statistics.of(tree, node_index))


def qtransform_by_parent_and_siblings(tree: Any, node_index: Any, *, epsilon: Any = 1e-8) -> Array:
    """q of one node, rescaled to [0, 1] by its own value and its visited actions; 0 if unvisited.

    `epsilon` is the least range to divide by.
    """
    return Siblings(epsilon)(Statistics.of(tree, node_index))


def qtransform_completed_by_mix_value(
    tree: Any,
    node_index: Any,
    *,
    value_scale: Any = 0.1,
    maxvisit_init: Any = 50.0,
    rescale_values: bool = True,
    use_mixed_value: bool = True,
    epsilon: Any = 1e-8,
) -> Array:
    """sigma(completed q) of one node: (`maxvisit_init` + max N) * `value_scale` * q.

    Unvisited actions are completed by the mixed value of appendix D of Danihelka et al. (2022), or
    by the raw one without `use_mixed_value`; `rescale_values` first maps q to [0, 1] within the
    node, by a range of at least `epsilon`.
    """
    options = (value_scale, maxvisit_init, rescale_values, use_mixed_value, epsilon)
    return Mixed(*options)(Statistics.of(tree, node_index))


_KNOWN = {
    qtransform_by_min_max: MinMax,
    qtransform_by_parent_and_siblings: Siblings,
    qtransform_completed_by_mix_value: Mixed,
}
QTransform = Callable[[Any, Any], Any]


def recognise(qtransform: QTransform) -> Transform | QTransform:
    """One of the three transforms above, by itself or in a `functools.partial`; else as it is."""
    options: dict[str, Any] = {}
    bare = qtransform
    if isinstance(bare, functools.partial) and not bare.args:
        bare, options = bare.func, bare.keywords
    known = _KNOWN.get(bare)
    return qtransform if known is None else known(**options)
