"""How the searches of mctx choose: its two ways of picking an action.

PUCT with noise that breaks ties (appendix B of Schrittwieser et al. 2020), and the deterministic
rule of Danihelka et al. (2022) with sequential halving at the root. Every sum is taken in mctx's
order, so that visit counts come out equal; mctx/_src was read for that, and none of it copied.
"""

import abc
import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..tree_search.picker import Descent, Kernel, Picker
from ..tree_search.tree import NodeView, Tree
from .keys import Keys
from .keys import at as at_simulation
from .transforms import Number, QTransform, Statistics, Transform
from .trees import GrownTree

Logits = Float[Array, "lanes width"]
LOW = -1e9
"""A considered action's score is never below this, whatever its logit."""
LOWEST = float(jnp.finfo(jnp.float32).min)
NOISE = 1e-7
"""The most that noise adds to a score: it decides ties."""


class Selection(Picker):
    """What the engine's rules for mctx's searches share.

    Nodes have a slot for each action and, after those, for each outcome of chance. What the
    engine's trees hold as logits is `kept`: by default the logits as the model gave them.
    """

    needs_value: ClassVar[bool] = True
    keeps_logits: ClassVar[bool] = True
    """Whether `kept` is what it is given."""
    actions: int = eqx.field(static=True)
    invalid: Array
    """At the roots: 1 for what must not be done."""
    extra: Any
    """The tree's `extra_data`."""
    keys: Keys | None = eqx.field(default=None, kw_only=True)

    def kept(self, logits: Logits, chance: Bool[Array, " lanes"]) -> Logits:
        """What the tree holds as a node's logits."""
        del chance
        return logits

    def without_invalid(self, kept: Logits) -> Logits:
        """The same of the roots, where nothing invalid may be chosen."""
        return kept

    def planned(self, budget: Int[Array, " batch"], capacity: int, keys: Keys) -> "Selection":
        """The same for so many simulations of each row, drawing noise from these keys."""
        del budget, capacity
        return dataclasses.replace(self, keys=keys)

    def in_round(
        self, number: Int[Array, "batch width"]
    ) -> tuple[Picker, UInt32[Array, "batch width 2"] | None]:
        """A key of its own for each simulation."""
        assert self.keys is not None
        return self, self.keys.noise(number)

    def view(self, tree: Tree) -> GrownTree:
        """The tree by mctx's names."""
        trees = (tree.edges, tree.nodes, tree.states)
        fixed = (tree.form, self.actions, self.keeps_logits)
        return GrownTree(*trees, self.invalid, self.extra, *fixed)


class _ByTransform(Selection):
    """A way of picking by what becomes of q in one of the transforms."""

    transform: Transform | QTransform

    def transformed(
        self, tree: Tree, current: Int[Array, " lanes"], at: Statistics
    ) -> Float[Array, "lanes actions"]:
        """The transform of q at one node of each row."""
        if isinstance(self.transform, Transform):
            return self.transform(at)
        return jax.vmap(self.transform)(self.view(tree), current).astype(jnp.float32)

    @property
    def native(self) -> bool:
        """Not for transforms that are not known here."""
        return isinstance(self.transform, Transform)

    def kernel(self, visits: int) -> Kernel:
        """The settings of the transform, and what the way of picking needs."""
        assert isinstance(self.transform, Transform)
        kind, rows, table = self._native(visits)
        settings = (float(self.actions), *self.transform.settings)
        settings = [jnp.asarray(x, jnp.float32).reshape(1) for x in (*settings, *[0.0] * 5)]
        return Kernel(
            3 + 3 * kind + self.transform.kind, jnp.concatenate([*settings[:6], rows]), table
        )

    @abc.abstractmethod
    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """Which way of picking this is, what it has for each row, and its table."""


def best(scores: Float[Array, "*lanes actions"], offered: Bool[Array, "*lanes actions"]) -> Array:
    """The first of the best that are offered; NaN never is, unless there is nothing else.

    The first of all where nothing is offered.
    """
    # `fmax` prefers any number to NaN; what is offered stays above what is not, even at -inf.
    scores = jnp.where(offered, jnp.fmax(scores, LOWEST), -jnp.inf)
    return jnp.argmax(scores, -1).astype(jnp.int32)


def bonus_rate(count: Any, init: Number, base: Number) -> Float[Array, "..."]:
    """sqrt(N) (init + ln((N + base + 1) / base)): what PUCT multiplies p / (1 + n) by."""
    return jnp.sqrt(count) * (init + jnp.log((count + base + 1.0) / base))


def behind(
    improved: Float[Array, "*lanes actions"], visits: Float[Array, "*lanes actions"]
) -> Float[Array, "*lanes actions"]:
    """How far the share of visits lies behind an improved policy: pi'(a) - n / (1 + sum n)."""
    return improved - visits / (1 + visits.sum(-1, keepdims=True))


def halving_scores(
    base: Float[Array, "*lanes actions"], q: Float[Array, "*lanes actions"],
    visits: Float[Array, "*lanes actions"], considered: Int[Array, "*lanes"],
) -> Float[Array, "*lanes actions"]:  # fmt: skip
    """g + logits (`base`) + q of the actions visited `considered` times; -inf for the others."""
    now = visits == considered[..., None]
    return jnp.where(now, jnp.maximum(base + q, LOW), -jnp.inf)


class MuZero(_ByTransform):
    """transform(q) + (init + ln((N + base + 1) / base)) sqrt(N) p / (1 + n), plus noise for ties.

    Kept of a node's logits are its probabilities, -1 where there is nothing to choose. An outcome
    of chance is the one most behind its probability.
    """

    keeps_logits: ClassVar[bool] = False
    init: Number = 1.25
    base: Number = 19652.0

    def kept(self, logits: Logits, chance: Bool[Array, " lanes"]) -> Logits:
        """Probabilities of the actions, or of the outcomes."""
        parts = logits[:, : self.actions], logits[:, self.actions :]
        first, second = (jax.nn.softmax(x) if x.shape[1] else x for x in parts)
        luck = chance[:, None]
        return jnp.concatenate([jnp.where(luck, -1.0, first), jnp.where(luck, second, -1.0)], 1)

    def without_invalid(self, kept: Logits) -> Logits:
        """-1 for what is invalid."""
        room = kept.shape[1] - self.actions
        return jnp.where(jnp.pad(self.invalid != 0, ((0, 0), (0, room))), -1.0, kept)

    def pick(self, at: Descent) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]]:
        """The best score; `noise` holds a Threefry key for each lane, split at every step down."""
        here, a = at.here, self.actions
        keys = jax.random.wrap_key_data(at.noise, impl="threefry2x32")
        keys = jax.vmap(jax.random.split)(keys)
        luck = jax.vmap(lambda key: jax.random.uniform(key, (a,)))(keys[:, 1])
        seen = _statistics(here, a, jnp.maximum(here.logits[:, :a], 0.0))
        bonus = (
            bonus_rate(here.count, self.init, self.base)[:, None] * seen.prior / (seen.visits + 1)
        )
        scores = self.transformed(at.tree, at.node, seen) + bonus + NOISE * luck
        beyond = here.logits.shape[1] - a
        if beyond:
            scores = jnp.pad(scores, ((0, 0), (0, beyond)), constant_values=-jnp.inf)
            waiting = here.logits / (here.visits + 1)
            scores = jnp.where(here.chance[:, None], waiting, scores)
        return best(scores, here.logits >= 0), jax.random.key_data(keys[:, 0])

    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """The table holds the factor of p / (1 + n)."""
        count = jnp.arange(visits, dtype=jnp.float32)
        return 0, jnp.zeros(0), bonus_rate(count, self.init, self.base)


class GumbelMuZero(_ByTransform):
    """Below the root, the improved policy in proportion; at it, sequential halving.

    `base` is the roots' Gumbel noise and logits; `first` actions are considered in the first phase,
    `most` at most. An action is considered in a simulation if it was visited exactly `considered`
    times, of which `sequence` has the numbers for all simulations. Logits are kept as they are.
    """

    base: Float[Array, "batch actions"]
    first: Int[Array, " batch"]
    most: int = eqx.field(static=True)
    considered: Int[Array, " batch"] | None = None
    sequence: Int[Array, "simulations batch"] | None = None

    def planned(self, budget: Int[Array, " batch"], capacity: int, keys: Keys) -> "GumbelMuZero":
        """Sequential halving of each row's own budget; no noise is drawn."""
        del keys
        simulations = jnp.arange(capacity + 1)[:, None]
        sequence = considered_visits(simulations, budget, self.first, self.most)
        return dataclasses.replace(self, sequence=sequence)

    def in_round(self, number: Int[Array, "batch width"]) -> tuple[Picker, None]:
        """The rule with what is considered in these simulations."""
        return dataclasses.replace(self, considered=at_simulation(self.sequence, number)), None

    def pick(self, at: Descent) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]]:
        """The first of the best; no noise is used."""
        here, below = at.here, at.depth > 0
        seen = _statistics(here, self.actions, jax.nn.softmax(here.logits))
        q = self.transformed(at.tree, at.node, seen)
        scores = behind(jax.nn.softmax(here.logits + q), seen.visits)
        assert self.considered is not None
        halving = halving_scores(self.base, q, seen.visits, self.considered)
        offered = below | (self.invalid == 0)
        return best(jnp.where(below, scores, halving), offered), at.noise

    def best(self, tree: Tree) -> tuple[Int[Array, " batch"], Float[Array, "batch actions"]]:
        """The best of the most visited actions at the finished roots, and the transform of q."""
        root = tree.root
        seen = _statistics(root, self.actions, jax.nn.softmax(root.logits))
        q = self.transformed(tree, jnp.zeros_like(tree.size), seen)
        most = seen.visits.max(-1).astype(jnp.int32)
        return best(halving_scores(self.base, q, seen.visits, most), self.invalid == 0), q

    def _native(self, visits: int) -> tuple[int, Array, Array]:
        """Its table are the roots: base scores, NaN where invalid (-inf is a logit like others)."""
        assert self.considered is not None
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
    """How often an action must have been visited to be considered in a simulation, from 0 on.

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
