"""Planning by gradients: the plan itself is optimised, through the model, by Adam.

Differentiable planning in its plainest form: Kelley 1960 ("Gradient theory of optimal flight
paths") by reverse-mode differentiation, with the steps of Kingma and Ba 2015 and projection on the
bounds; see also Bharadhwaj et al. 2020, "Model-predictive control via cross-entropy and gradient
methods".
"""

import math
from typing import Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key

from ...core.budget import Budget
from ...core.rows import beside
from ...core.task import Task
from .cross_entropy import correlated
from .path_integral import check_continuous
from .plan_search import Best, Found, PlanSearch, Problem, Start, spend, with_given
from .plans import Ahead, Scores, Spent, half_range


class _Search(eqx.Module):
    """The plans as they are now, Adam's moments of each, and the rest."""

    plans: Float[Array, "starts horizon ..."]
    moments: optax.OptState
    best: Best
    spent: Spent


class GradientPlanning(PlanSearch):
    """Follows the gradient of the return from `starts` plans at once; the best plan seen counts.

    One simulation rolls one plan out forwards and backwards; its model steps are those of the
    forward pass (the backward pass costs about twice as much again). The first plan starts from
    the habit (the plan of the decision before, one step later), the others from it with noise of
    standard deviation `spread`. `rate` is Adam's learning rate; both are in units of half the range
    of actions. Continuous actions, and a model through which gradients flow: where they do not,
    plans stay where they started.

    Each plan is projected on the bounds after each step. Answers with the best plan where returns
    are certain, else with the first plan. Raises `NonFiniteError` for gradients that are not
    finite, as for returns.
    """

    starts: int = eqx.field(static=True)
    rate: float = eqx.field(static=True)
    spread: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        horizon: int = 30,
        budget: Budget | int = 128,
        starts: int = 4,
        rate: float = 0.1,
        spread: float = 0.6,
        warm_start: bool = True,
        **ahead: Unpack[Ahead],
    ):
        check_continuous("Planning by gradients", task)
        if starts < 1 or not 0 < rate < math.inf or not 0 < spread < math.inf:
            raise ValueError(
                "Planning by gradients needs at least one start, and a finite rate and spread "
                f"above 0; got {starts}, {rate}, {spread}."
            )
        super().__init__(task, horizon, budget, warm_start, **ahead)
        self.starts, self.rate, self.spread = starts, rate, spread

    def __repr__(self) -> str:
        return self._repr(f"starts={self.starts}", f"rate={self.rate:g}")

    def search(self, problem: Problem, start: Start, key: Key[Array, ""]) -> Found:
        """Step upon step until the budget is spent."""
        traits, many = problem.planning.task.traits, self.starts
        unit = half_range(traits)
        adam = optax.adam(self.rate * unit)
        first = beside(jnp.arange(many) == 0, start.mean[None])
        noise = self.spread * unit * correlated(key, (many, *start.mean.shape), 0.5)
        plans = jnp.clip(start.mean + jnp.where(first, 0.0, noise), traits.low, traits.high)
        plans = with_given(start, plans, 1)

        def more(now: _Search) -> Array:
            return now.spent.simulations < problem.allowed

        def one_step(now: _Search) -> _Search:
            fresh = jax.random.fold_in(key, now.spent.simulations + 1)
            real = jnp.arange(many) < problem.allowed - now.spent.simulations
            scores, slope = _slopes(problem, now.plans, fresh)
            best = now.best.among(now.plans, scores.value, real)
            best = eqx.tree_at(lambda b: b.sound, best, best.sound & _finite(slope, real))
            step, moments = adam.update(-slope, now.moments)
            moved = jnp.clip(now.plans + jnp.asarray(step), traits.low, traits.high)
            spent = now.spent + spend(problem, scores, real)
            return _Search(moved, moments, best, spent)

        begun = _Search(plans, adam.init(plans), Best.none(start.mean), Spent.nothing())
        done = jax.lax.while_loop(more, one_step, begun)
        plan = done.best.plan if problem.planning.certain else done.plans[0]
        plan = jnp.where(done.spent.simulations > 0, plan, start.mean)
        return Found(plan, plan, jnp.ones(1), done.best.read(), done.spent)


def _slopes(
    problem: Problem, plans: Float[Array, "starts horizon ..."], key: Key[Array, ""]
) -> tuple[Scores, Float[Array, "starts horizon ..."]]:
    """The scores of plans, and the gradient of each one's return by its actions."""

    def total(plans: Array) -> tuple[Array, Scores]:
        scores = problem.scored(plans, key)
        # A plan's return depends on that plan alone, so the gradient of the sum holds all of them.
        return scores.value.sum(), scores

    slope, scores = jax.grad(total, has_aux=True)(plans)
    return scores, slope


def _finite(slope: Float[Array, "starts ..."], real: Bool[Array, " starts"]) -> Bool[Array, ""]:
    finite = jnp.isfinite(slope).reshape(slope.shape[0], -1).all(-1)
    return (finite | ~real).all()
