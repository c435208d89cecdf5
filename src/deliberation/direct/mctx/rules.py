"""How the searches of mctx choose: its transforms of q, and its two ways of picking an action.

PUCT with noise that breaks ties (appendix B of Schrittwieser et al. 2020), and the deterministic
rule of Danihelka et al. (2022) with sequential halving at the root. Every sum is taken in mctx's
order, so that visit counts come out equal; mctx/_src was read for that, and none of it copied.
"""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..tree_search.rules import Kernel, Picker
from ..tree_search.tree import NodeView, Tree
from .types import Tree as View

Number = Any
"""A setting, as users write them: a number of any kind, or an array without axes."""
LEAST = float(jnp.finfo(jnp.float32).tiny)
LOW = -1e9
"""A considered action's score is never below this, whatever its logit."""
NOISE = 1e-7
"""The most that noise adds to a score: it decides ties."""


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


class Siblings(Transform):
    """Rescaled to [0, 1] by the least and greatest of the node's value and its visited actions."""

    kind: ClassVar[int] = 0
    epsilon: Number = 1e-8

    def __call__(self, at: Statistics) -> Float[Array, "*nodes actions"]:
        """Unvisited actions count as the least."""
        mean, seen = at.mean[..., None], at.visits > 0
        known = jnp.where(seen, at.q, mean)
        low = jnp.minimum(mean, known.min(-1, keepdims=True))
        high = jnp.maximum(mean, known.max(-1, keepdims=True))
        return (jnp.where(seen, at.q, low) - low) / jnp.maximum(high - low, self.epsilon)

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
            prior = jnp.where(seen, jnp.maximum(at.prior, LEAST), 0.0)
            mass = jnp.where(seen, prior.sum(-1, keepdims=True), 1.0)
            total = at.visits.sum(-1)
            value = (at.raw + total * (prior * at.q / mass).sum(-1)) / (total + 1)
        q = jnp.where(seen, at.q, value[..., None])
        if self.rescale_values:
            low, high = q.min(-1, keepdims=True), q.max(-1, keepdims=True)
            q = (q - low) / jnp.maximum(high - low, self.epsilon)
        return (self.maxvisit_init + at.visits.max(-1, keepdims=True)) * self.value_scale * q

    @property
    def settings(self) -> tuple[Number, ...]:
        """Its fields."""
        flags = (float(self.rescale_values), float(self.use_mixed_value))
        return (self.value_scale, self.maxvisit_init, *flags, self.epsilon)


def by_min_max(tree: Any, node_index: Any, *, min_value: Any, max_value: Any) -> Array:
    """q of one node, rescaled from [`min_value`, `max_value`] to [0, 1]; 0 where unvisited."""
    return MinMax(min_value, max_value)(Statistics.of(tree, node_index))


def by_parent_and_siblings(tree: Any, node_index: Any, *, epsilon: Any = 1e-8) -> Array:
    """q of one node, rescaled to [0, 1] by its own value and its visited actions; 0 if unvisited.

    `epsilon` is the least range to divide by.
    """
    return Siblings(epsilon)(Statistics.of(tree, node_index))


def completed_by_mix_value(
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


_KNOWN = {by_min_max: MinMax, by_parent_and_siblings: Siblings, completed_by_mix_value: Mixed}
QTransform = Callable[[Any, Any], Any]


def recognise(qtransform: QTransform) -> Transform | QTransform:
    """One of the three transforms above, by itself or in a `functools.partial`; else as it is."""
    options: dict[str, Any] = {}
    bare = qtransform
    if isinstance(bare, functools.partial) and not bare.args:
        bare, options = bare.func, bare.keywords
    known = _KNOWN.get(bare)
    return qtransform if known is None else known(**options)


class _Mctx(Picker):
    """What both ways of picking share.

    Nodes have a slot for each action and, after those, for each outcome of chance. What the
    engine's trees hold as logits is `kept`.
    """

    transform: Transform | QTransform
    actions: int = eqx.field(static=True)
    invalid: Array
    """At the roots: 1 for what must not be done."""
    extra: Any

    @abc.abstractmethod
    def kept(
        self, logits: Float[Array, "lanes width"], chance: Bool[Array, " lanes"]
    ) -> Float[Array, "lanes width"]:
        """What becomes of a node's logits in the tree."""

    def view(self, tree: Tree) -> View:
        """The tree by mctx's names."""
        trees = (tree.edges, tree.nodes, tree.states)
        return View(*trees, self.invalid, self.extra, tree.form, self.actions)

    def transformed(
        self, tree: Tree, current: Int[Array, " lanes"], at: Statistics
    ) -> Float[Array, "lanes actions"]:
        """The transform of q at one node of each row."""
        if isinstance(self.transform, Transform):
            return self.transform(at)
        return jax.vmap(self.transform)(self.view(tree), current).astype(jnp.float32)

    def kernel(self, visits: int) -> Kernel | None:
        """None for transforms that are not known here."""
        if not isinstance(self.transform, Transform):
            return None
        kind, rows, table = self._native(visits)
        settings = (float(self.actions), *self.transform.settings)
        settings = [jnp.asarray(x, jnp.float32).reshape(1) for x in (*settings, *[0.0] * 5)]
        return Kernel(
            3 + 3 * kind + self.transform.kind, jnp.concatenate([*settings[:6], rows]), table
        )

    @abc.abstractmethod
    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """Which way of picking this is, what it has for each row, and its table."""


def _best(scores: Float[Array, "lanes actions"], offered: Bool[Array, "lanes actions"]) -> Array:
    """The first of the best; what is not offered or not a number never is, unless nothing is."""
    scores = jnp.where(offered & ~jnp.isnan(scores), scores, -jnp.inf)
    return jnp.argmax(scores, -1).astype(jnp.int32)


class MuZero(_Mctx):
    """transform(q) + (init + ln((N + base + 1) / base)) sqrt(N) p / (1 + n), plus noise for ties.

    Kept of a node's logits are its probabilities, -1 where there is nothing to choose. An outcome
    of chance is the one most behind its probability.
    """

    init: Number = 1.25
    base: Number = 19652.0

    def kept(
        self, logits: Float[Array, "lanes width"], chance: Bool[Array, " lanes"]
    ) -> Float[Array, "lanes width"]:
        """Probabilities of the actions, or of the outcomes."""
        parts = logits[:, : self.actions], logits[:, self.actions :]
        first, second = (jax.nn.softmax(x) if x.shape[1] else x for x in parts)
        luck = chance[:, None]
        return jnp.concatenate([jnp.where(luck, -1.0, first), jnp.where(luck, second, -1.0)], 1)

    def pick(
        self,
        tree: Tree,
        rows: Int[Array, " lanes"],
        node: Int[Array, " lanes"],
        noise: UInt32[Array, "lanes 2"],
        depth: Int[Array, ""],
    ) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]]:
        """The best score; `noise` holds a Threefry key for each lane, split at every step down."""
        here, a = tree.at(rows, node), self.actions
        keys = jax.vmap(jax.random.split)(jax.random.wrap_key_data(noise, impl="threefry2x32"))
        luck = jax.vmap(lambda key: jax.random.uniform(key, (a,)))(keys[:, 1])
        at = _statistics(here, a, jnp.maximum(here.logits[:, :a], 0.0))
        bonus = self._rate(here.count)[:, None] * at.prior / (at.visits + 1)
        scores = self.transformed(tree, node, at) + bonus + NOISE * luck
        beyond = here.logits.shape[1] - a
        if beyond:
            scores = jnp.pad(scores, ((0, 0), (0, beyond)), constant_values=-jnp.inf)
            behind = here.logits / (here.visits + 1)
            scores = jnp.where(here.chance[:, None], behind, scores)
        return _best(scores, here.logits >= 0), jax.random.key_data(keys[:, 0])

    def _rate(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        rate = self.init + jnp.log((count + self.base + 1.0) / self.base)
        return jnp.sqrt(count) * rate

    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """The table holds the factor of p / (1 + n)."""
        return 0, jnp.zeros(0), self._rate(jnp.arange(visits, dtype=jnp.float32))


class GumbelMuZero(_Mctx):
    """Below the root, the improved policy in proportion; at it, sequential halving.

    `base` is the roots' Gumbel noise and logits, `considered` how often an action must have been
    visited to have its turn in this simulation. Logits are kept as they are.
    """

    base: Float[Array, "batch actions"]
    considered: Int[Array, " batch"]

    def kept(
        self, logits: Float[Array, "lanes width"], chance: Bool[Array, " lanes"]
    ) -> Float[Array, "lanes width"]:
        """The logits."""
        return logits

    def pick(
        self,
        tree: Tree,
        rows: Int[Array, " lanes"],
        node: Int[Array, " lanes"],
        noise: UInt32[Array, "lanes 2"],
        depth: Int[Array, ""],
    ) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]]:
        """The first of the best; no noise is used."""
        here = tree.at(rows, node)
        at = _statistics(here, self.actions, jax.nn.softmax(here.logits))
        q = self.transformed(tree, node, at)
        improved = jax.nn.softmax(here.logits + q)
        scores = improved - at.visits / (1 + at.visits.sum(-1, keepdims=True))
        halving = self.root_scores(q, at.visits)
        offered = (depth > 0) | (self.invalid == 0)
        return _best(jnp.where(depth > 0, scores, halving), offered), noise

    def root_scores(
        self, q: Float[Array, "batch actions"], visits: Float[Array, "batch actions"]
    ) -> Float[Array, "batch actions"]:
        """g + logits + transform(q) of the actions whose turn it is; -inf for the others."""
        turn = visits == self.considered[:, None]
        return jnp.where(turn, jnp.maximum(self.base + q, LOW), -jnp.inf)

    def best(self, tree: Tree) -> tuple[Int[Array, " batch"], Float[Array, "batch actions"]]:
        """The best of the most visited actions at the finished roots, and the transform of q."""
        root = tree.root
        at = _statistics(root, self.actions, jax.nn.softmax(root.logits))
        q = self.transformed(tree, jnp.zeros_like(tree.size), at)
        most = eqx.tree_at(lambda r: r.considered, self, at.visits.max(-1).astype(jnp.int32))
        return _best(most.root_scores(q, at.visits), self.invalid == 0), q

    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """Its table are the roots: base scores, NaN where invalid (-inf is a logit like others)."""
        base = jnp.where(self.invalid == 0, self.base, jnp.nan)
        return 1, self.considered.astype(jnp.float32), base.reshape(-1)


def _statistics(here: NodeView, actions: int, prior: Float[Array, "lanes actions"]) -> Statistics:
    q, visits = here.q[:, :actions], here.visits[:, :actions]
    return Statistics(q, visits, prior, here.total, here.value)


def considered_visits(
    simulation: Int[Array, "simulations 1"],
    budget: Int[Array, " batch"],
    actions: Int[Array, " batch"],
    most: int,
) -> Int[Array, "simulations batch"]:
    """How often an action must have been visited for its turn in a simulation, counted from 0.

    Sequential halving (Karnin et al. 2013) as in Danihelka et al. (2022): `actions` are considered
    first, at most `most`, then the better half, down to two; each phase visits its actions equally.
    """
    log2 = 32 - jax.lax.clz(jnp.maximum(actions, 2) - 1)
    considered, left = jnp.maximum(actions, 1), simulation + jnp.zeros_like(actions)
    visits = jnp.zeros_like(left)
    for _ in range(max(0, most - 2).bit_length()):
        each = jnp.maximum(1, budget // (log2 * considered))
        over = (considered > 2) & (left >= each * considered)
        visits = visits + over * each
        left = left - over * each * considered
        considered = jnp.where(over, jnp.maximum(2, considered // 2), considered)
    return visits + left // considered
