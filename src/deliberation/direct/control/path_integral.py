"""MPPI, model-predictive path integral control: plans are averaged by the exponent of their return.

Williams et al. 2017, "Information theoretic MPC for model-based reinforcement learning", algorithm
2, without the term for control effort (their alpha = 1: the base distribution is that of the
current mean). Several rounds a decision with less and less noise are those of Xue et al. 2024,
"Full-order sampling-based MPC for torque-level locomotion via diffusion-style annealing" (there
over the rounds and along the plan, here over the rounds).
"""

import math
from typing import Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ...core.budget import Budget
from ...core.errors import UnsuitableTaskError
from ...core.rows import beside
from ...core.task import Task
from .cross_entropy import check_noise, correlated, with_known
from .plan_search import Best, Found, PlanSearch, Problem, Start, rank_of, spend
from .plans import Ahead, Plan, Spent, half_range

_NARROWEST = 0.1
"""The least share of the first round's noise that annealing leaves."""


class _Search(eqx.Module):
    """The mean plan, the return expected of a round's plans under their weights, and the rest."""

    mean: Plan
    value: Float[Array, ""]
    best: Best
    spent: Spent


class MPPI(PlanSearch):
    """Moves the mean plan to the average of noisy plans, weighted by exp(return / temperature).

    One simulation is one plan; a round draws `population` of them, the first without noise, and as
    many rounds are made as the budget allows (the last one may be smaller). The best plan so far is
    tried again in every later round. `temperature` is the paper's lambda in units of the standard
    deviation of the round's returns, so that the unit of rewards does not matter. `spread` is the
    standard deviation of the first round's noise in units of half the range of actions, and
    `anneal` its ratio from one round to the next, down to a tenth of the first; `correlation` is
    that of the noise of two successive steps. Continuous actions.

    Answers with the mean, and its value is the weighted mean return of the last round. The next
    decision begins from the mean, one step later (`warm_start`).
    """

    population: int = eqx.field(static=True)
    temperature: float = eqx.field(static=True)
    spread: float = eqx.field(static=True)
    anneal: float = eqx.field(static=True)
    correlation: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        horizon: int = 30,
        budget: Budget | int = 256,
        population: int = 64,
        temperature: float = 0.1,
        spread: float = 0.6,
        anneal: float = 0.7,
        correlation: float = 0.5,
        warm_start: bool = True,
        **ahead: Unpack[Ahead],
    ):
        check_continuous("MPPI", task)
        check_noise("MPPI", population, spread, correlation)
        if not (0 < temperature < math.inf and 0 < anneal <= 1):
            raise ValueError(
                "MPPI needs a finite temperature above 0 and an anneal above 0 and at most 1; got "
                f"{temperature}, {anneal}."
            )
        super().__init__(task, horizon, budget, warm_start, **ahead)
        self.population, self.temperature, self.spread = population, temperature, spread
        self.anneal, self.correlation = anneal, correlation

    def __repr__(self) -> str:
        return self._repr(f"population={self.population}", f"temperature={self.temperature:g}")

    def search(self, problem: Problem, start: Start, key: Key[Array, ""]) -> Found:
        """Round upon round until the budget is spent."""
        traits, many = problem.planning.task.traits, self.population
        spread = jnp.where(jnp.isnan(start.spread), self.spread, start.spread) * half_range(traits)
        first = beside(jnp.arange(many) == 0, start.mean[None])

        def more(now: _Search) -> Array:
            return now.spent.simulations < problem.allowed

        def one_round(now: _Search) -> _Search:
            drawn, scored = jax.random.split(jax.random.fold_in(key, now.spent.simulations))
            rounds = now.spent.simulations // many
            width = spread * jnp.maximum(self.anneal**rounds, _NARROWEST)
            noise = width * correlated(drawn, (many, *now.mean.shape), self.correlation)
            plans = now.mean + jnp.where(first, 0.0, noise)
            plans = jnp.clip(plans, traits.low, traits.high)
            plans = with_known(start, now.best, plans, rounds == 0)
            real = jnp.arange(many) < problem.allowed - now.spent.simulations
            scores = problem.scored(plans, scored)
            weights = exponential_weights(scores.value, real, self.temperature)
            none = weights.sum() == 0
            mean = jnp.where(none, now.mean, jnp.tensordot(weights, plans, 1))
            value = jnp.sum(weights * jnp.where(weights > 0, scores.value, 0.0))
            best = now.best.among(plans, scores.value, real)
            return _Search(mean, value, best, now.spent + spend(problem, scores, real))

        begun = _Search(start.mean, jnp.float32(0), Best.none(start.mean), Spent.nothing())
        done = jax.lax.while_loop(more, one_round, begun)
        return Found(done.mean, done.mean, jnp.ones(1), done.best.read(done.value), done.spent)


def exponential_weights(
    value: Float[Array, " plans"], real: Bool[Array, " plans"], temperature: float
) -> Float[Array, " plans"]:
    """exp(value / (temperature * their standard deviation)), normalised over the real plans.

    Even where all returns are equal; zero for what is not real or not finite.
    """
    worth = rank_of(value, real)
    here = ~jnp.isneginf(worth)
    count = jnp.maximum(here.sum(), 1)
    mean = jnp.where(here, worth, 0.0).sum() / count
    deviation = jnp.sqrt(jnp.where(here, (worth - mean) ** 2, 0.0).sum() / count)
    scale = jnp.where(deviation > 0, temperature * deviation, 1.0)
    above = jnp.where(here, worth - jnp.max(worth, initial=-jnp.inf, where=here), -jnp.inf)
    raw = jnp.where(here, jnp.exp(above / scale), 0.0)
    return raw / jnp.maximum(raw.sum(), 1e-30)


def check_continuous(name: str, task: Task) -> None:
    """Refuse numbered actions, which cannot be averaged or followed uphill."""
    if task.traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has discrete actions: {name} moves continuous ones. Use `CEM` or "
            "`RandomShooting`, which take both."
        )
