"""How a search chooses: UCT, PUCT and Gumbel, each in the terms of its paper.

A rule scores the edges of interior nodes (`interior`), may plan the root's simulations by itself
(`begin`, `next_lanes`), and reads the answer off the finished root (`answer`). All arrays are
batched over rows. A rule that has a `kernel` also runs natively.
"""

import abc
import dataclasses
import itertools
import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.noise import Seed, gumbel, mix
from .picker import Descent, Kernel, Number, Picker, Schedule, Scores
from .round import IDLE
from .scale import above_rounding, scale
from .tree import NodeView


class Rule(Picker):
    """One way of choosing within a search, and of answering from its root."""

    most_visited: ClassVar[bool] = False
    """Whether the answer is the most visited action."""

    @abc.abstractmethod
    def interior(self, node: NodeView) -> Scores:
        """Scores of a node's actions while descending; illegal ones are masked by the search.

        Infinity puts an action before all others, minus infinity behind them.
        """

    def pick(self, at: Descent) -> None:
        """None: by `interior`."""
        del at

    @abc.abstractmethod
    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """(weights, preference): the improved distribution, and scores whose best is the action."""


class UCT(Rule):
    """Upper confidence bounds applied to trees (Kocsis and Szepesvari 2006): q + c sqrt(ln N / n).

    From some 4,600 visits on, sqrt(N) / 8 stands for ln N, which it then exceeds. Returns drift
    while the tree below them grows, and a logarithm may leave an action whose first returns were
    bad alone for longer than any search lasts (Coquelin and Munos 2007); a root does not (Shah, Xie
    and Xu 2020, "Non-asymptotic analysis of Monte Carlo tree search": N^(1/4) / sqrt(n)).

    `c` is for returns between -1 and 1, to which a node's are scaled (see `scale.py`); unless
    `normalise`, for returns as they are. `greatest` is the best return there can be; a search
    for a single player fills in what the objective says (`Objective.bounds`), so that costs do not
    deter from looking for a rare reward. Unvisited actions come first. The answer is the most
    visited action, ties broken by the mean return.

    With `lanes` above 1, so many simulations of a tree run side by side (WU-UCT, Liu et al. 2020):
    each counts those under way before it as visits, N + O and n + o for N and n, with no say yet in
    q. The leaves of a round are judged in one batch, which makes a single large search several
    times faster. It is another search than the one simulation by simulation, and weaker where the
    budget is only a few times the lanes.
    """

    needs_value: ClassVar[bool] = False
    most_visited: ClassVar[bool] = True
    c: Number = 1.0
    normalise: bool = eqx.field(static=True, default=True)
    greatest: Number = math.inf
    lanes: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        if self.lanes < 1:
            raise ValueError(f"lanes must be at least 1; got {self.lanes}.")

    @property
    def shares(self) -> bool:
        """Whether there are several lanes."""
        return self.lanes > 1

    def lane_widths(self, actions: int) -> tuple[int, ...]:
        """`lanes`, whatever the number of actions."""
        return (self.lanes,)

    def interior(self, node: NodeView) -> Scores:
        """Unvisited actions before all others; no bonus where nothing is left to learn."""
        middle, half = scale(node, self.normalise, self.greatest)
        spread = self._spread(node.visits.sum(-1, keepdims=True))
        # Never below 0: but to say so keeps the product from being fused into the sum.
        bonus = jnp.maximum(half * jnp.sqrt(spread / jnp.maximum(node.visits, 1)), 0.0)
        bonus = jnp.where(node.settled, 0.0, bonus)
        return jnp.where(node.visits > 0, node.q - middle + bonus, jnp.inf)

    def kernel(self, visits: int) -> Kernel:
        """The table holds c^2 ln N, or what stands for it."""
        table = self._spread(jnp.arange(visits, dtype=jnp.float32))
        return Kernel(0, jnp.stack([float(self.normalise), self.greatest]), table)

    def _spread(self, total: Float[Array, "..."]) -> Float[Array, "..."]:
        # c goes under the root: a product before a sum may be fused, and then rounds otherwise.
        total = jnp.maximum(total, 1)
        return self.c**2 * jnp.maximum(jnp.log(total), jnp.sqrt(total) / 8)

    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """Weights are the shares of visits."""
        return _most_visited(root)


class PUCT(Rule):
    """Predictor and upper confidence bounds (Rosin 2011; Silver et al. 2018).

    q + c(N) p sqrt(N) / (1 + n) with c(N) = c + ln((N + base + 1) / base), as in AlphaZero.
    Unvisited actions are taken to be worth what the node was evaluated at. `c` is for returns
    between -1 and 1, to which a node's are scaled (see `scale.py`); unless `normalise`, for returns
    as they are. `greatest` is as for `UCT`.
    """

    needs_value: ClassVar[bool] = True
    most_visited: ClassVar[bool] = True
    c: Number = 1.25
    base: Number = 19652.0
    normalise: bool = eqx.field(static=True, default=True)
    greatest: Number = math.inf

    def interior(self, node: NodeView) -> Scores:
        """The prior's bonus on top of the mean return."""
        q = jnp.where(node.visits > 0, node.q, node.value[:, None])
        middle, half = scale(node, self.normalise, self.greatest)
        rate = half * self._rate(node.visits.sum(-1, keepdims=True))
        return q - middle + rate * node.prior / (1 + node.visits)

    def kernel(self, visits: int) -> Kernel:
        """The table holds c(N) sqrt(N)."""
        table = self._rate(jnp.arange(visits, dtype=jnp.float32))
        return Kernel(1, jnp.stack([float(self.normalise), self.greatest]), table)

    def _rate(self, total: Float[Array, "..."]) -> Float[Array, "..."]:
        rate = self.c + jnp.log((total + self.base + 1) / self.base)
        return rate * jnp.sqrt(jnp.maximum(total, 1))

    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """Weights are the shares of visits, or the prior where nothing was simulated."""
        return _most_visited(root)


def _most_visited(root: NodeView) -> tuple[Scores, Scores]:
    """The shares of visits, and the returns of the most visited actions: these break ties."""
    total = root.visits.sum(-1, keepdims=True)
    weights = jnp.where(total > 0, root.visits / jnp.maximum(total, 1), root.prior)
    by_return = jnp.where(_most(root, root.visits), root.q, -jnp.inf)
    return weights, jnp.where(total > 0, by_return, root.logits)


class HalvingState(eqx.Module):
    """Where a row stands in its sequential halving.

    `order` lists the actions considered in this phase, the best first; `considered` is their
    number, `sweeps` how often each is still to be simulated, `taken` how many were simulated in
    this sweep. `fresh` marks rows whose phase has just begun: their order is not drawn up yet.
    `base` holds the visits from before this search, `gumbel` the noise before it is scaled
    and `shuffle` the actions in its order, which breaks ties.
    """

    gumbel: Scores
    shuffle: Int[Array, "batch actions"]
    base: Scores
    budget: Int[Array, " batch"]
    log2: Int[Array, " batch"]
    order: Int[Array, "batch considered"]
    considered: Int[Array, " batch"]
    sweeps: Int[Array, " batch"]
    taken: Int[Array, " batch"]
    fresh: Bool[Array, " batch"]


class Gumbel(Rule):
    """Gumbel search with sequential halving (Danihelka et al. 2022).

    The root draws `considered` actions without replacement by Gumbel-top-k and halves them by
    g + logits + sigma(q); below it, the deterministic rule of the improved policy. `noise` scales
    the Gumbel noise (0: the strongest play, without the guarantee of improvement in expectation).
    sigma(q) = (visit_offset + max N) * value_scale * q, q rescaled to [0, 1] within the node when
    `rescale`. The defaults are those of the reference implementation.

    The actions of a phase do not depend on one another, so up to `lanes` of them are simulated side
    by side: the same answer in fewer and larger batches. `lanes` is one width for the whole search
    (compiled once) or falling widths, such as (16, 8, 4, 2), each compiled for its own phases: the
    least latency for a single row.
    """

    needs_value: ClassVar[bool] = True
    considered: int = eqx.field(static=True, default=16)
    noise: Number = 1.0
    value_scale: Number = 0.1
    visit_offset: Number = 50.0
    rescale: bool = eqx.field(static=True, default=True)
    lanes: int | tuple[int, ...] = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        widths = self.lanes if isinstance(self.lanes, tuple) else (self.lanes,)
        falling = all(a > b for a, b in itertools.pairwise(widths))
        if not widths or min(widths) < 1 or not falling:
            raise ValueError(f"lanes must be positive and falling, as (16, 8, 4); got {widths}.")
        if self.considered < 1:
            raise ValueError(f"considered must be at least 1; got {self.considered}.")

    def lane_widths(self, actions: int) -> tuple[int, ...]:
        """`lanes`, no wider than there are actions to consider."""
        most = min(self.considered, actions)
        widths = self.lanes if isinstance(self.lanes, tuple) else (self.lanes,)
        return tuple(dict.fromkeys(min(w, most) for w in widths))

    def begin(self, root: NodeView, budget: Int[Array, " batch"], seed: Seed) -> HalvingState:
        """Draw the noise and set up the first phase of each row for its own budget."""
        actions = root.logits.shape[-1]
        noise = gumbel(jax.vmap(lambda s: mix(s, jnp.arange(actions)))(seed))
        count = jnp.minimum(root.legal.sum(-1), self.considered).astype(jnp.int32)
        log2 = 32 - jax.lax.clz(jnp.maximum(count, 2) - 1)
        most = min(self.considered, actions)
        order = jnp.zeros((count.shape[0], most), jnp.int32)
        zero, sweeps = jnp.zeros_like(count), _sweeps(budget, log2, count)
        shuffle = jax.lax.top_k(noise, actions)[1].astype(jnp.int32)
        return HalvingState(
            noise, shuffle, root.visits, budget, log2, order, count, sweeps, zero, count >= 0
        )

    def next_lanes(
        self, root: NodeView, schedule: HalvingState, width: int
    ) -> tuple[Int[Array, "batch width"], HalvingState]:
        """The next actions of the sweep; a phase that begins first ranks those that are left."""
        s = jax.lax.cond(
            schedule.fresh.any(), lambda s: self._rank(root, s), lambda s: s, schedule
        )  # fmt: skip
        place = s.taken[:, None] + jnp.arange(width)
        last = s.order.shape[1] - 1
        forced = jnp.take_along_axis(s.order, jnp.minimum(place, last), axis=1)
        return jnp.where(place < s.considered[:, None], forced, IDLE), _next(s, width)

    def waits(self, schedule: HalvingState, width: int) -> Bool[Array, " batch"]:
        """Rows whose next phase fits into a narrower loop."""
        return schedule.considered <= width

    def _rank(self, root: NodeView, s: HalvingState) -> HalvingState:
        """Draw up the order of a phase: the best of those that the last one simulated most."""
        scores = jnp.where(_survivors(root, s), self._gumbel_scores(root, s), -jnp.inf)
        # Without noise exact ties are common: of equals the first in the order of the noise wins.
        shuffled = jnp.take_along_axis(scores, s.shuffle, axis=1)
        place = jax.lax.top_k(shuffled, s.order.shape[1])[1]
        ranked = jnp.take_along_axis(s.shuffle, place, axis=1)
        order = jnp.where(s.fresh[:, None], ranked, s.order)
        return eqx.tree_at(lambda s: (s.order, s.fresh), s, (order, jnp.zeros_like(s.fresh)))

    def interior(self, node: NodeView) -> Scores:
        """Follow the improved policy in proportion: argmax of pi'(a) - N(a) / (1 + sum N)."""
        improved = jax.nn.softmax(node.logits + self.sigma(node), axis=-1)
        return improved - node.visits / (1 + node.visits.sum(-1, keepdims=True))

    def answer(self, root: NodeView, schedule: HalvingState) -> tuple[Scores, Scores]:
        """The improved policy, and the survivor of the halving."""
        weights = jax.nn.softmax(root.logits + self.sigma(root), axis=-1) * root.legal
        most = _survivors(root, schedule)
        return weights, jnp.where(most, self._gumbel_scores(root, schedule), -jnp.inf)

    def kernel(self, visits: int) -> Kernel:
        """No table: the settings are enough."""
        del visits
        settings = (self.value_scale, self.visit_offset, float(self.rescale))
        return Kernel(2, jnp.stack([jnp.asarray(x, jnp.float32) for x in settings]), jnp.zeros(1))

    def sigma(self, node: NodeView) -> Scores:
        """sigma(completed q): equation 8 of the paper, on q completed by `v_mix` (appendix D)."""
        visited = (node.visits > 0) & node.legal
        q = jnp.where(visited, node.q, mixed_value(node)[:, None])
        if self.rescale:
            low = jnp.where(node.legal, q, jnp.inf).min(-1, keepdims=True)
            high = jnp.where(node.legal, q, -jnp.inf).max(-1, keepdims=True)
            q = jnp.where(node.legal, (q - low) / above_rounding(high - low, low, high), 0.0)
        most = node.visits.max(-1, keepdims=True)
        return (self.visit_offset + most) * self.value_scale * q

    def _gumbel_scores(self, root: NodeView, schedule: HalvingState) -> Scores:
        return self.noise * schedule.gumbel + root.logits + self.sigma(root)


def mixed_value(node: NodeView) -> Float[Array, " batch"]:
    """v_mix: the node's own value, mixed with what its visited actions returned."""
    visited = node.visits > 0
    prior = jnp.maximum(jnp.exp(node.logits), 1e-30) * visited
    total = node.visits.sum(-1)
    returned = (prior * node.q).sum(-1) / jnp.maximum(prior.sum(-1), 1e-30)
    return (node.value + total * returned) / (1 + total)


def _sweeps(
    budget: Int[Array, " batch"], log2: Int[Array, " batch"], considered: Int[Array, " batch"]
) -> Int[Array, " batch"]:
    """How often each considered action is visited in a phase."""
    return jnp.maximum(1, budget // jnp.maximum(1, log2 * considered))


def _survivors(root: NodeView, s: HalvingState) -> Bool[Array, "batch actions"]:
    """The actions of the phase that ended, all legal ones before the first."""
    return _most(root, root.visits - s.base)


def _most(root: NodeView, visits: Scores) -> Bool[Array, "batch actions"]:
    """The legal actions with the most visits."""
    return root.legal & (visits == jnp.where(root.legal, visits, -1).max(-1, keepdims=True))


def _next(s: HalvingState, width: int) -> HalvingState:
    """Count one round: to the next actions, the next sweep, or the next phase."""
    taken = s.taken + width
    swept = taken >= s.considered
    sweeps = s.sweeps - swept
    halve = sweeps == 0
    # A single legal action stays the only one considered.
    fewer = jnp.minimum(jnp.maximum(2, s.considered // 2), s.considered)
    considered = jnp.where(halve, fewer, s.considered)
    sweeps = jnp.where(halve, _sweeps(s.budget, s.log2, considered), sweeps)
    taken = jnp.where(swept, 0, taken)
    return dataclasses.replace(
        s, considered=considered, sweeps=sweeps, taken=taken, fresh=s.fresh | halve
    )
