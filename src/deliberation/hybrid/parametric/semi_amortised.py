"""Semi-amortised optimisation: a network's guess, then gradient steps on the objective at hand.

After Kim, Wiseman, Miller, Sontag and Rush (2018, "Semi-amortized variational autoencoders"): what
amortisation gets wrong for one context is put right for that context alone. With `fit_through` the
network is trained for where the steps end instead of where they begin.
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.networks.feed_forward import Network, flops
from ...amortised.parametric.regression import pass_costs
from ...amortised.policies.answer import check_answers, to_action
from ...amortised.training.fitting import Metrics, fit_loss
from ...amortised.training.trained import Trained, training_identity
from ...amortised.training.updates import Watch
from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from ...direct.parametric.gradient_descent import (
    Descent,
    begin_descent,
    check_descent,
    descend,
    improve,
)
from ...tasks.one_step.problem import check_one_step, one_step_return


class SemiAmortised(CheckedDecider):
    """Descends from where a network says, on the objective handed over, for as many steps as given.

    Budget 0 is the network alone, and its value. A simulation tries one step, which is one model
    step (the objective and its gradient); judging the network's guess is one more. The best point
    met is the answer, so more budget is never worse. `rate` is the length of the first step in
    units of the gradient; the others adapt, as those of `GradientDescent`.

    Raises `UnsuitableTaskError`, and `NonFiniteError` where the network, the objective or its
    gradient is NaN or infinite.
    """

    task: Task
    network: Network
    budget: Budget
    rate: float = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        network: Network,
        *,
        budget: Budget | int = 4,
        rate: float = 0.1,
        tolerance: float = 1e-6,
    ):
        check_one_step(task, "Semi-amortised optimisation")
        check_answers(task, network)
        check_descent(rate, tolerance)
        self.task, self.network, self.budget = task, network, Budget.of(budget)
        self.rate, self.tolerance = float(rate), float(tolerance)

    def __repr__(self) -> str:
        return f"SemiAmortised({self.task!r}, {type(self.network).__name__}, rate={self.rate:g})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Guess by one forward pass, then descend; no chance is involved."""
        simulations, limit = question.limits
        steps = jnp.minimum(simulations, jnp.maximum(limit - 1, 0))
        decision, raw, value, sound = _decide(self, question.state, question.objective, steps)
        check_finite(type(self.network).__name__, answer=raw, value=value)
        check_finite("The objective", **{"value or gradient": jnp.where(sound, 0.0, jnp.nan)})
        return decision, question.memory


@eqx.filter_jit
def _decide(
    decider: SemiAmortised, state: State, objective: Objective, steps: Int[Array, " batch"]
) -> tuple[
    Decision, Float[Array, "batch numbers"], Float[Array, " batch"], Bool[Array, " batch"]
]:  # fmt: skip
    task, traits = decider.task, decider.task.traits
    live = ~jax.vmap(task.terminated)(state)
    raw, value = decider.network.batched(jax.vmap(task.observe)(state).astype(jnp.float32))

    def one(row: State, guess: Float[Array, " numbers"], count: Int[Array, ""]) -> tuple:
        found = descend(
            lambda answer: -one_step_return(task, objective, row, answer),
            to_action(traits, guess), count, low=traits.low, high=traits.high,
            rate=decider.rate, tolerance=decider.tolerance,
        )  # fmt: skip
        return found.best, -found.best_cost, found.taken, found.sound

    steps = jnp.where(live, steps, 0)
    action, reached, taken, sound = jax.vmap(one)(state, raw, steps)
    searched = steps > 0
    decision = answer(
        live, action, None, jnp.where(searched, reached, value),
        model_steps=jnp.where(searched, taken + 1, 0),
        network_evaluations=1, flops=flops(decider.network),
    )  # fmt: skip
    return decision, raw, value, sound | ~searched


def fit_through(
    task: Task,
    network: Network,
    *,
    through: int,
    steps: int,
    key: Key[Array, ""],
    objective: Objective | None = None,
    rate: float = 0.1,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a network so that its guess, improved by `through` gradient steps, costs least.

    Differentiates through the steps, second derivatives included; their lengths and whether they
    are accepted are taken as given. The value learns what the guess itself earns, so that budget 0
    is judged. A step of training counts, for each context, a datum, `through` + 1 model steps and
    three forward passes. `through=0` is objective-based amortisation. Raises
    `UnsuitableTaskError` and `TrainingDivergedError`.
    """
    check_one_step(task, "Semi-amortised optimisation")
    check_answers(task, network)
    check_descent(rate, 0.0)
    if through < 0:
        raise ValueError(f"One cannot train through {through} steps.")
    wanted, traits = objective or task.objective, task.traits

    def improved(state: State, guess: Float[Array, "..."]) -> tuple[Array, Array]:
        """What the guess costs, and what the best point met costs."""

        def cost(answer: Float[Array, "..."]) -> Float[Array, ""]:
            return -one_step_return(task, wanted, state, answer)

        def step(now: Descent, _: None) -> tuple[Descent, Float[Array, ""]]:
            after = improve(cost, now, traits.low, traits.high)
            return after, after.cost

        start = begin_descent(guess, rate)
        ended, costs = jax.lax.scan(step, start, None, length=through + 1)
        return costs[0], ended.best_cost

    def loss(network: Network, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        states = jax.vmap(task.init)(jax.random.split(key, batch_size))
        raw, value = network.batched(jax.vmap(task.observe)(states))
        guesses = jax.vmap(lambda r: to_action(traits, r))(raw)
        before, after = jax.vmap(improved)(states, guesses)
        judged = jnp.mean(optax.huber_loss(value, jax.lax.stop_gradient(-before)))
        total = jnp.mean(after) + 0.1 * judged
        return total, {"before": -jnp.mean(before), "after": -jnp.mean(after), "value": judged}

    identity = training_identity(
        "semi_amortised", key, task=task, objective=wanted, network=network.config,
        through=through, rate=rate, batch_size=batch_size,
    )  # fmt: skip
    judged = Ledger(model_steps=(through + 1) * batch_size, data=batch_size)
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate,
        each=pass_costs(network, batch_size) + judged, folder=folder, identity=identity,
        watch=watch, decider=lambda n: SemiAmortised(task, n, budget=through, rate=rate),
    )  # fmt: skip
