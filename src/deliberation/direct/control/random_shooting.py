"""Random shooting: draw plans at random, carry out the first action of the best.

The oldest planner over action sequences; see Rao 2009, "A survey of numerical methods for optimal
control", and Nagabandi et al. 2018, who control learned models by it.
"""

from typing import Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from ...core.budget import Budget
from ...core.task import Task
from .plan_search import Best, Found, PlanSearch, Problem, Start, spend, with_given
from .plans import Ahead, Spent


class RandomShooting(PlanSearch):
    """Scores uniformly random plans and takes the first action of the best.

    Continuous actions or discrete ones; chance and hidden state are averaged over `particles`. One
    simulation is one plan; they are drawn `population` at a time, which changes no answer's
    quality, only speed. Nothing is remembered. Budget 0 answers at random.
    """

    population: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        horizon: int = 30,
        budget: Budget | int = 512,
        population: int = 64,
        **ahead: Unpack[Ahead],
    ):
        if population < 1:
            raise ValueError(f"Random shooting needs a population of at least 1; got {population}.")
        # Every decision begins from nothing.
        super().__init__(task, horizon, budget, False, **ahead)
        self.population = population

    def __repr__(self) -> str:
        return self._repr()

    def search(self, problem: Problem, start: Start, key: Key[Array, ""]) -> Found:
        """The best of all plans that the budget allows."""
        traits, many = problem.planning.task.traits, self.population
        proposed = problem.planning.proposals is not None
        if proposed:
            start = _with_mean(start)
        low, high = (0.0, 1.0) if traits.discrete else (traits.low, traits.high)

        def draw(key: Key[Array, ""], first: Array) -> Array:
            shape = (many, *start.mean.shape)
            plans = jax.random.uniform(key, shape, minval=low, maxval=high)
            return with_given(start, plans, -first)

        def more(carry: tuple[Best, Spent]) -> Array:
            return carry[1].simulations < problem.allowed

        def round_of_plans(carry: tuple[Best, Spent]) -> tuple[Best, Spent]:
            best, spent = carry
            drawn, scored = jax.random.split(jax.random.fold_in(key, spent.simulations + 1))
            plans = draw(drawn, spent.simulations)
            real = jnp.arange(many) < problem.allowed - spent.simulations
            scores = problem.scored(plans, scored)
            return best.among(plans, scores.value, real), spent + spend(problem, scores, real)

        anything = draw(jax.random.fold_in(key, 0), jnp.int32(0))[0]
        if proposed:
            anything = start.mean
        begun = (Best.none(anything), Spent.nothing())
        best, spent = jax.lax.while_loop(more, round_of_plans, begun)
        weights = jnp.ones(1)
        if traits.discrete:
            weights = _only(problem, best, spent)
        return Found(best.plan, best.plan, weights, best.read(), spent)


def _with_mean(start: Start) -> Start:
    """The mean is one of the plans to try."""
    plans = jnp.concatenate([start.mean[None], start.plans])
    return eqx.tree_at(lambda s: (s.plans, s.count), start, (plans, start.count + 1))


def _only(problem: Problem, best: Best, spent: Spent) -> Array:
    """All on the action of the best plan; even over the legal ones where nothing was scored."""
    task = problem.planning.task
    legal = task.legal(problem.state)
    choice = jnp.argmax(jnp.where(legal, best.plan[0], -jnp.inf))
    alone = (jnp.arange(legal.shape[0]) == choice) & legal
    if problem.planning.proposals is not None:
        return alone.astype(jnp.float32)
    even = legal / jnp.maximum(legal.sum(), 1)
    return jnp.where(spent.simulations > 0, alone, even).astype(jnp.float32)
