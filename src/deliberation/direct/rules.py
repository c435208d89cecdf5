"""How a search chooses: UCT, PUCT and Gumbel, each in the terms of its paper.

A rule scores the edges of interior nodes (`interior`), may treat the root apart (`root`), and reads
the answer off the finished root (`answer`). All arrays are batched over rows.
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..core.noise import Seed, gumbel, mix
from .tree import FORBIDDEN, NodeView

Scores = Float[Array, "batch actions"]
Schedule = Any
Number = float | Float[Array, ""]
"""A setting: a plain number is part of the compiled program, an array can be swept without."""


class Rule(eqx.Module):
    """One way of choosing within a search.

    `needs_value` says whether the rule uses what a node was judged to be worth: the root of a
    search is then judged even by an evaluator without a prior.
    """

    needs_value: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def interior(self, node: NodeView) -> Scores:
        """Scores of a node's actions while descending; illegal ones are masked by the search."""

    def begin(self, root: NodeView, budget: Int[Array, " batch"], seed: Seed) -> Schedule:
        """What the rule keeps about the root from one simulation to the next."""
        del root, budget, seed
        return None

    def root(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Schedule]:
        """Scores of the root's actions for the next simulation; by default the interior's."""
        return self.interior(root), schedule

    @abc.abstractmethod
    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """(weights, preference): the improved distribution, and scores whose best is the action."""


class UCT(Rule):
    """Upper confidence bounds applied to trees (Kocsis and Szepesvari 2006): q + c sqrt(ln N / n).

    `c` is on the scale of returns; unvisited actions come first. The answer is the most visited
    action, ties broken by the mean return.
    """

    needs_value: ClassVar[bool] = False
    c: Number = 1.0

    def interior(self, node: NodeView) -> Scores:
        """Unvisited actions before all others; no bonus where nothing is left to learn."""
        total = node.visits.sum(-1, keepdims=True)
        bonus = self.c * jnp.sqrt(jnp.log(jnp.maximum(total, 1)) / jnp.maximum(node.visits, 1))
        bonus = jnp.where(node.settled, 0.0, bonus)
        return jnp.where(node.visits > 0, node.q + bonus, -FORBIDDEN / 4)

    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """Weights are the shares of visits."""
        return _most_visited(root)


class PUCT(Rule):
    """Predictor and upper confidence bounds (Rosin 2011; Silver et al. 2018).

    q + c(N) p sqrt(N) / (1 + n) with c(N) = c + ln((N + base + 1) / base), as in AlphaZero.
    Unvisited actions are taken to be worth what the node was judged to be.
    """

    needs_value: ClassVar[bool] = True
    c: Number = 1.25
    base: Number = 19652.0

    def interior(self, node: NodeView) -> Scores:
        """The prior's bonus on top of the mean return."""
        total = node.visits.sum(-1, keepdims=True)
        rate = self.c + jnp.log((total + self.base + 1) / self.base)
        q = jnp.where(node.visits > 0, node.q, node.value[:, None])
        return q + rate * node.prior * jnp.sqrt(jnp.maximum(total, 1)) / (1 + node.visits)

    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """Weights are the shares of visits, or the prior where nothing was simulated."""
        return _most_visited(root)


def _most_visited(root: NodeView) -> tuple[Scores, Scores]:
    total = root.visits.sum(-1, keepdims=True)
    weights = jnp.where(total > 0, root.visits / jnp.maximum(total, 1), root.prior)
    # Returns only break ties: squashed below half a visit.
    tie = 0.5 * jax.nn.soft_sign(root.q) * (root.visits > 0)
    return weights, jnp.where(total > 0, root.visits + tie, root.logits)


class HalvingState(eqx.Module):
    """Where a row stands in its sequential halving, and the noise it drew."""

    gumbel: Scores
    budget: Int[Array, " batch"]
    log2: Int[Array, " batch"]
    considered: Int[Array, " batch"]
    visits: Int[Array, " batch"]
    sweeps: Int[Array, " batch"]
    taken: Int[Array, " batch"]


class Gumbel(Rule):
    """Gumbel search with sequential halving (Danihelka et al. 2022).

    The root draws `considered` actions without replacement by Gumbel-top-k and halves them by
    g + logits + sigma(q); below it, the deterministic rule of the improved policy. `noise` scales
    the Gumbel noise (0: the strongest play, without the guarantee of improvement in expectation).
    sigma(q) = (visit_offset + max N) * value_scale * q, q rescaled to [0, 1] within the node when
    `rescale`. The defaults are those of the reference implementation.
    """

    needs_value: ClassVar[bool] = True
    considered: int = eqx.field(static=True, default=16)
    noise: Number = 1.0
    value_scale: Number = 0.1
    visit_offset: Number = 50.0
    rescale: bool = eqx.field(static=True, default=True)

    def begin(self, root: NodeView, budget: Int[Array, " batch"], seed: Seed) -> HalvingState:
        """Draw the noise and set up the first phase of each row for its own budget."""
        actions = jnp.arange(root.logits.shape[-1])
        noise = gumbel(jax.vmap(lambda s: mix(s, actions))(seed)) * self.noise
        count = jnp.minimum(root.legal.sum(-1), self.considered).astype(jnp.int32)
        log2 = 32 - jax.lax.clz(jnp.maximum(count, 2) - 1)
        zero = jnp.zeros_like(count)
        sweeps = _sweeps(budget, log2, count)
        return HalvingState(noise, budget, log2, jnp.maximum(count, 1), zero, sweeps, zero)

    def root(self, root: NodeView, schedule: HalvingState) -> tuple[Scores, HalvingState]:
        """The best of the actions whose turn it is: those with as many visits as the phase has."""
        turn = root.visits == schedule.visits[:, None]
        scores = jnp.where(turn, self._gumbel_scores(root, schedule), FORBIDDEN / 2)
        return scores, _next(schedule)

    def interior(self, node: NodeView) -> Scores:
        """Follow the improved policy in proportion: argmax of pi'(a) - N(a) / (1 + sum N)."""
        improved = jax.nn.softmax(node.logits + self.sigma(node), axis=-1)
        return improved - node.visits / (1 + node.visits.sum(-1, keepdims=True))

    def answer(self, root: NodeView, schedule: HalvingState) -> tuple[Scores, Scores]:
        """The improved policy, and the survivor of the halving."""
        weights = jax.nn.softmax(root.logits + self.sigma(root), axis=-1) * root.legal
        most = root.visits == root.visits.max(-1, keepdims=True)
        return weights, jnp.where(most, self._gumbel_scores(root, schedule), FORBIDDEN / 2)

    def sigma(self, node: NodeView) -> Scores:
        """sigma(completed q): equation 8 of the paper, on q completed by `v_mix` (appendix D)."""
        visited = (node.visits > 0) & node.legal
        q = jnp.where(visited, node.q, mixed_value(node)[:, None])
        if self.rescale:
            low = jnp.where(node.legal, q, jnp.inf).min(-1, keepdims=True)
            high = jnp.where(node.legal, q, -jnp.inf).max(-1, keepdims=True)
            q = jnp.where(node.legal, (q - low) / jnp.maximum(high - low, 1e-8), 0.0)
        most = node.visits.max(-1, keepdims=True)
        return (self.visit_offset + most) * self.value_scale * q

    def _gumbel_scores(self, root: NodeView, schedule: HalvingState) -> Scores:
        return schedule.gumbel + jax.nn.log_softmax(root.logits, axis=-1) + self.sigma(root)


def mixed_value(node: NodeView) -> Float[Array, " batch"]:
    """v_mix: the node's own value, mixed with what its visited actions returned."""
    visited = node.visits > 0
    prior = jnp.maximum(jax.nn.softmax(node.logits, axis=-1), 1e-30) * visited
    total = node.visits.sum(-1)
    returned = (prior * node.q).sum(-1) / jnp.maximum(prior.sum(-1), 1e-30)
    return (node.value + total * returned) / (1 + total)


def _sweeps(
    budget: Int[Array, " batch"], log2: Int[Array, " batch"], considered: Int[Array, " batch"]
) -> Int[Array, " batch"]:
    """How often each considered action is visited in a phase."""
    return jnp.maximum(1, budget // jnp.maximum(1, log2 * considered))


def _next(s: HalvingState) -> HalvingState:
    """Count one simulation: to the next action, the next sweep, or the next phase."""
    taken = s.taken + 1
    swept = taken >= s.considered
    sweeps = s.sweeps - swept
    halve = sweeps == 0
    considered = jnp.where(halve, jnp.maximum(2, s.considered // 2), s.considered)
    # A single legal action stays the only one considered.
    considered = jnp.minimum(considered, jnp.where(s.considered == 1, 1, considered))
    sweeps = jnp.where(halve, _sweeps(s.budget, s.log2, considered), sweeps)
    visits = s.visits + swept
    taken = jnp.where(swept, 0, taken)
    return HalvingState(s.gumbel, s.budget, s.log2, considered, visits, sweeps, taken)
