"""The cross-entropy method: plans are drawn from a distribution that is refitted to the best ones.

Rubinstein 1999, "The cross-entropy method for combinatorial and continuous optimization"; de Boer
et al. 2005, "A tutorial on the cross-entropy method": Gaussian for continuous actions, categorical
for discrete ones, with smoothed updates. Noise that is correlated in time, and the best plan
kept among those to try, are those of Pinneri et al. 2020 ("iCEM"), the noise of the first order.
"""

import math
from typing import Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ...core.budget import Budget
from ...core.rows import as_kinds, beside
from ...core.task import Task
from .plan_search import Best, Found, PlanSearch, Problem, Start, rank_of, spend, with_given
from .plans import Ahead, Plan, Scores, Spent, half_range

_LEAST = 1e-3
"""The probability below which no action of a categorical plan falls."""
_TIE = 1e-3
"""Noise that chooses among actions of equal probability, where no noise is wanted."""


class _Search(eqx.Module):
    """A distribution over plans: means, and deviations (continuous) or log-probabilities alone."""

    mean: Plan
    spread: Plan
    best: Best
    spent: Spent


class CEM(PlanSearch):
    """Refits a distribution over plans to the best share of each round's draws.

    One simulation is one plan; a round draws `population` of them, the first without noise, and as
    many rounds are made as the budget allows (the last one may be smaller). The best plan so far is
    tried again in every later round. `elite` is the share that is kept, `smoothing` the weight of
    the new fit against the old. `spread` (of the first round) and `least_spread` are standard
    deviations in units of half the range of actions; `correlation` is that of the noise of two
    successive steps. Continuous actions and discrete ones (for which the last three mean nothing).

    Answers with the best plan where returns are certain, else with the mean. The next decision
    begins from the mean, one step later (`warm_start`).
    """

    population: int = eqx.field(static=True)
    elite: float = eqx.field(static=True)
    smoothing: float = eqx.field(static=True)
    spread: float = eqx.field(static=True)
    least_spread: float = eqx.field(static=True)
    correlation: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        horizon: int = 30,
        budget: Budget | int = 256,
        population: int = 64,
        elite: float = 0.125,
        smoothing: float = 0.9,
        spread: float = 1.0,
        least_spread: float = 0.05,
        correlation: float = 0.5,
        warm_start: bool = True,
        **ahead: Unpack[Ahead],
    ):
        check_noise("CEM", population, spread, correlation)
        if not (0 < elite <= 1 and 0 < smoothing <= 1 and 0 <= least_spread < math.inf):
            raise ValueError(
                "CEM needs shares elite and smoothing above 0 and at most 1, and a finite "
                f"least_spread; got {elite}, {smoothing}, {least_spread}."
            )
        super().__init__(task, horizon, budget, warm_start, **ahead)
        self.population, self.elite, self.smoothing = population, elite, smoothing
        self.spread, self.least_spread, self.correlation = spread, least_spread, correlation

    def __repr__(self) -> str:
        return self._repr(f"population={self.population}", f"elite={self.elite:g}")

    def search(self, problem: Problem, start: Start, key: Key[Array, ""]) -> Found:
        """Round upon round until the budget is spent."""
        traits = problem.planning.task.traits
        spread = jnp.where(jnp.isnan(start.spread), self.spread, start.spread)
        wide = jnp.full_like(start.mean, 1.0) * spread * half_range(traits)

        def more(now: _Search) -> Array:
            return now.spent.simulations < problem.allowed

        def one_round(now: _Search) -> _Search:
            drawn, scored = jax.random.split(jax.random.fold_in(key, now.spent.simulations + 1))
            plans = self._draw(problem, now, start, drawn)
            left = problem.allowed - now.spent.simulations
            real = jnp.arange(self.population) < left
            scores = problem.scored(plans, scored)
            chosen = elites(scores.value, real, self.elite)
            mean, spread = self._refit(now, plans, scores, chosen)
            best = now.best.among(plans, scores.value, real)
            spent = now.spent + spend(problem, scores, real)
            # Random numbers are of 64 bits where JAX is.
            return as_kinds(_Search(mean, spread, best, spent), now)

        begun = _Search(start.mean, wide, Best.none(start.mean), Spent.nothing())
        done = jax.lax.while_loop(more, one_round, begun)
        best = problem.planning.certain & ~jnp.isneginf(done.best.value)
        plan = jnp.where(best, done.best.plan, done.mean)
        plan, weights = self._answer(problem, plan, best, done.mean, jax.random.fold_in(key, 0))
        return Found(plan, done.mean, weights, done.best.read(), done.spent)

    def _draw(self, problem: Problem, now: _Search, start: Start, key: Key[Array, ""]) -> Array:
        traits, shape = problem.planning.task.traits, (self.population, *now.mean.shape)
        first = beside(jnp.arange(self.population) == 0, now.mean[None])
        if traits.discrete:
            noise = jax.random.gumbel(key, shape)
            plans = now.mean + jnp.where(first, _TIE * noise, noise)
        else:
            noise = jnp.where(first, 0.0, correlated(key, shape, self.correlation))
            plans = jnp.clip(now.mean + now.spread * noise, traits.low, traits.high)
        return with_known(start, now.best, plans, now.spent.simulations == 0)

    def _refit(
        self, now: _Search, plans: Array, scores: Scores, chosen: Float[Array, " plans"]
    ) -> tuple[Plan, Plan]:
        """The distribution after a round: smoothed towards that of the chosen plans."""
        share = chosen / jnp.maximum(chosen.sum(), 1)
        if scores.taken is not None:
            took = jnp.tensordot(share, scores.taken, 1)
            known = took.sum(-1, keepdims=True)
            old = jax.nn.softmax(now.mean, -1)
            new = jnp.where(known > 0, took / jnp.where(known > 0, known, 1), old)
            chance = self.smoothing * new + (1 - self.smoothing) * old
            return jnp.log(jnp.maximum(chance, _LEAST)), now.spread
        mean = jnp.tensordot(share, plans, 1)
        deviation = jnp.sqrt(jnp.tensordot(share, (plans - mean) ** 2, 1))
        none = chosen.sum() == 0
        mean = jnp.where(none, now.mean, self.smoothing * mean + (1 - self.smoothing) * now.mean)
        spread = self.smoothing * deviation + (1 - self.smoothing) * now.spread
        least = self.least_spread * half_range(self.task.traits)
        return mean, jnp.where(none, now.spread, jnp.maximum(spread, least))

    def _answer(
        self, problem: Problem, plan: Plan, best: Array, mean: Plan, key: Key[Array, ""]
    ) -> tuple[Plan, Float[Array, " actions"]]:
        if not problem.planning.task.traits.discrete:
            return plan, jnp.ones(1)
        legal = problem.planning.task.legal(problem.state)
        chance = jnp.where(legal, jax.nn.softmax(jnp.where(legal, mean[0], -jnp.inf)), 0.0)
        # Equal probabilities are no reason to prefer the first action. A plan that was tried stays
        # as it is: another action would not earn what it earned.
        tie = jnp.where(best, 0.0, _TIE) * jax.random.gumbel(key, plan.shape)
        return plan + tie, jnp.where(legal.any(), chance, 0.0)


def elites(
    value: Float[Array, " plans"], real: Bool[Array, " plans"], share: float
) -> Float[Array, " plans"]:
    """One for each real plan as good as the best share of them (at least one), zero for others.

    All that tie with the last of that share belong to it, but none that is no better than the worst
    of all plans: what succeeds where nearly all fail is what counts. Where all are equal, all
    belong to it, and nothing is preferred.
    """
    count = jnp.clip(jnp.ceil(share * real.sum() - 1e-6), 1).astype(jnp.int32)
    worth = rank_of(value, real)
    here = ~jnp.isneginf(worth)
    most = max(math.ceil(share * value.shape[0] - 1e-6), 1)
    threshold = jax.lax.top_k(worth, most)[0][count - 1]
    worst = jnp.min(worth, initial=jnp.inf, where=here)
    better = (worth > worst) | (worst == jnp.max(worth))
    return ((worth >= threshold) & better & here).astype(jnp.float32)


def with_known(
    start: Start, best: Best, plans: Float[Array, "plans horizon ..."], beginning: Bool[Array, ""]
) -> Float[Array, "plans horizon ..."]:
    """A round's plans, of which some after the first are replaced by plans that are known.

    What was proposed is tried once, in the first round; in all others the best plan so far is. At
    least one plan of each round is a fresh one.
    """
    place = slice(0, 1) if plans.shape[0] == 2 else slice(1, 2)
    kept = plans.at[place].set(best.plan)
    return jnp.where(beginning, with_given(start, plans, 1), kept)


def correlated(key: Key[Array, ""], shape: tuple[int, ...], correlation: float) -> Array:
    """Standard normal noise for plans, each step correlated with the one before (axis 1)."""
    fresh = jax.random.normal(key, shape)
    if correlation == 0:
        return fresh
    keep = math.sqrt(1 - correlation**2)

    def step(last: Array, new: Array) -> tuple[Array, Array]:
        now = correlation * last + keep * new
        return now, now

    steps = jnp.moveaxis(fresh, 1, 0)
    rest = jax.lax.scan(step, steps[0], steps[1:])[1]
    return jnp.moveaxis(jnp.concatenate([steps[:1], rest]), 0, 1)


def check_noise(name: str, population: int, spread: float, correlation: float) -> None:
    """Refuse settings of the noise that no planner can draw by."""
    if population < 2 or not 0 < spread < math.inf or not 0 <= correlation < 1:
        raise ValueError(
            f"{name} needs a population of at least 2 (one known plan, one fresh), a finite spread "
            f"above 0 and a correlation from 0 to below 1; got {population}, {spread}, "
            f"{correlation}."
        )
