"""Gradient descent on the answer itself: the objective is followed downhill when asked.

Spectral projected gradient (Birgin, Martinez and Raydan 2000): steps of Barzilai and Borwein's
length (1988), projected on the box, accepted unless worse than the worst of the last few; a
refused step is shortened by a parabola. It needs no curvature and hardly any tuning. Every
simulation is one evaluation of the objective with its gradient, refused steps included.
"""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.noise import Seed, mix, seeds, uniform
from ...core.objective import Objective
from ...core.task import State, Task
from ...tasks.one_step.problem import check_one_step, one_step_return

RECENT = 4
"""A step is accepted unless it is worse than the worst of so many points before it."""
DECREASE = 1e-4
"""The share of the decrease promised by the gradient that is demanded."""
ROUNDING = 2.5e-7
"""Costs that differ by this share are equal in single precision; then the later point is the best,
since the gradient still shows the way where costs no longer do."""
LENGTHS = (1e-6, 1e3)
"""The least and the greatest length of a step, in units of the gradient."""
Cost = Callable[[Float[Array, "..."]], Float[Array, ""]]


class Descent(eqx.Module):
    """Where a descent has come to, after `taken` steps; -1 before the start is judged.

    `sound` is false once a cost or gradient was not finite.
    """

    point: Float[Array, "..."]
    cost: Float[Array, ""]
    slope: Float[Array, "..."]
    length: Float[Array, ""]
    recent: Float[Array, " recent"]
    best: Float[Array, "..."]
    best_cost: Float[Array, ""]
    taken: Int[Array, ""]
    sound: Bool[Array, ""]


def begin_descent(start: Float[Array, "..."], rate: float) -> Descent:
    """Before anything is evaluated; the first of `improve` judges the start.

    `rate` is the length of the first step.
    """
    unknown = jnp.float32(jnp.inf)
    return Descent(
        point=start,
        cost=unknown,
        slope=jnp.zeros_like(start),
        length=jnp.asarray(rate, jnp.float32),
        recent=jnp.broadcast_to(unknown, (RECENT,)),
        best=start,
        best_cost=unknown,
        taken=jnp.int32(-1),
        sound=jnp.bool_(True),
    )


def improve(cost: Cost, now: Descent, low: float, high: float) -> Descent:
    """Try one step, or judge the start: one evaluation of the cost and its gradient.

    Differentiable in the point and whatever the cost depends on, the lengths of the steps being
    taken as given; inside of `jax.lax.scan` this is what training through the steps unrolls.
    """
    to = jnp.clip(now.point - now.length * now.slope, low, high)
    there, slope = jax.value_and_grad(cost)(to)
    step, change = to - now.point, slope - now.slope
    promised = jnp.sum(now.slope * step)
    first = now.taken < 0
    accept = there <= jnp.max(now.recent) + DECREASE * promised
    shorter = _moved(now, step) * _shortened(there - now.cost, promised)
    length = jnp.where(accept, _spectral(now.length, step, change), shorter)
    length = jax.lax.stop_gradient(jnp.where(first, now.length, length))

    def keep(new: Array, old: Array) -> Array:
        return jnp.where(accept, new, old)

    better = accept & (there <= now.best_cost + ROUNDING * jnp.abs(now.best_cost))
    place = first | (jnp.arange(RECENT) == now.taken % RECENT)
    return Descent(
        point=keep(to, now.point),
        cost=keep(there, now.cost),
        slope=keep(slope, now.slope),
        length=jnp.clip(length, *LENGTHS),
        recent=jnp.where(place & accept, there, now.recent),
        best=jnp.where(better, to, now.best),
        best_cost=jnp.where(better, jnp.minimum(there, now.best_cost), now.best_cost),
        taken=now.taken + 1,
        sound=now.sound & jnp.isfinite(there) & jnp.isfinite(slope).all(),
    )


def descend(
    cost: Cost,
    start: Float[Array, "..."],
    steps: Int[Array, ""],
    *,
    low: float,
    high: float,
    rate: float,
    tolerance: float,
) -> Descent:
    """At most so many steps from a start; unbatched, with a dynamic number of steps.

    Ends early where no step of the gradient's length would move any entry by `tolerance` times the
    width of the box, or where the cost is not finite.
    """

    def unfinished(now: Descent) -> Bool[Array, ""]:
        moves = jnp.abs(jnp.clip(now.point - now.slope, low, high) - now.point)
        wide = jnp.max(moves) > tolerance * (high - low)
        return (now.taken < steps) & (wide | (now.taken < 0)) & now.sound

    return jax.lax.while_loop(
        unfinished, lambda now: improve(cost, now, low, high), begin_descent(start, rate)
    )


def _spectral(
    length: Float[Array, ""], step: Float[Array, "..."], change: Float[Array, "..."]
) -> Float[Array, ""]:
    """The length that would have been right for the curvature just met; longer where concave."""
    square, bend = jnp.sum(step * step), jnp.sum(step * change)
    curved = bend > 1e-12 * square
    return jnp.where(curved, square / jnp.where(curved, bend, 1.0), 4 * length)


def _moved(now: Descent, step: Float[Array, "..."]) -> Float[Array, ""]:
    """How long a step really was: less than was tried where the box cut off all of it."""
    slope = jnp.abs(now.slope)
    taken = jnp.where(slope > 0, jnp.abs(step) / jnp.where(slope > 0, slope, 1.0), 0.0)
    return jnp.minimum(jnp.max(taken), now.length)


def _shortened(rise: Float[Array, ""], promised: Float[Array, ""]) -> Float[Array, ""]:
    """Where a parabola through what is known of a refused step has its minimum, within reason."""
    bend = rise - promised
    share = -promised / (2 * jnp.where(bend > 0, bend, 1.0))
    return jnp.clip(jnp.where(bend > 0, share, 0.1), 0.1, 0.5)


class GradientDescent(CheckedDecider):
    """Minimises by gradient steps from random starts in the box, on the objective handed over.

    For tasks with one continuous action (`tasks.one_step`) whose objective is differentiable. A
    simulation tries one step, which is one model step; judging where a descent starts is one more.
    Budgets are shared evenly by `starts` descents, of which the best counts; with `starts=1` what
    it reaches is a local minimum. Budget 0 answers with the first start, a uniformly random answer,
    and value 0. Descents that have converged spend no more.

    `rate` is the length of the first step in units of the gradient; the others adapt. `budget` is
    for decisions that name none. Raises `UnsuitableTaskError`, and `NonFiniteError` where the
    objective or its gradient is NaN or infinite.
    """

    task: Task
    budget: Budget
    starts: int = eqx.field(static=True)
    rate: float = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        budget: Budget | int = 32,
        starts: int = 1,
        rate: float = 0.1,
        tolerance: float = 1e-6,
    ):
        check_one_step(task, "Gradient descent on the answer")
        check_descent(rate, tolerance)
        if starts < 1:
            raise ValueError(f"A descent needs at least 1 start; got {starts}.")
        self.task, self.budget, self.starts = task, Budget.of(budget), starts
        self.rate, self.tolerance = float(rate), float(tolerance)

    def __repr__(self) -> str:
        return f"GradientDescent({self.task!r}, starts={self.starts}, rate={self.rate:g})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Descend in every row of a batch that is not answered yet."""
        simulations, limit = question.limits
        # A descent of k steps takes k + 1 model steps, and there are no more descents than steps.
        fits = jnp.where(limit >= 2 * self.starts, limit - self.starts, limit // 2)
        steps = jnp.minimum(simulations, fits)
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        decision, sound = _decide(planner, question.state, question.objective, steps, question.keys)
        check_finite("The objective", **{"value or gradient": jnp.where(sound, 0.0, jnp.nan)})
        return decision, question.memory


def check_descent(rate: float, tolerance: float) -> None:
    """Refuse settings that no descent can have."""
    if not (math.isfinite(rate) and rate > 0 and 0 <= tolerance < math.inf):
        raise ValueError(
            "A descent needs a positive rate and a tolerance of at least 0; got "
            f"rate={rate}, tolerance={tolerance}."
        )


@eqx.filter_jit
def _decide(
    decider: GradientDescent,
    state: State,
    objective: Objective,
    steps: Int[Array, " batch"],
    keys: Key[Array, " batch"],
) -> tuple[Decision, Bool[Array, " batch"]]:
    task, starts = decider.task, decider.starts
    traits = task.traits

    def one(row: State, count: Int[Array, ""], seed: Seed) -> tuple:
        def cost(answer: Float[Array, "..."]) -> Float[Array, ""]:
            return -one_step_return(task, objective, row, answer)

        def from_start(number: Int[Array, ""]) -> tuple[Descent, Int[Array, ""]]:
            places = jnp.arange(math.prod(traits.shape)).reshape(traits.shape)
            drawn = uniform(mix(seed, number, places))
            begin = traits.low + (traits.high - traits.low) * drawn
            mine = count // starts + (number < count % starts)
            found = descend(
                cost, begin, mine, low=traits.low, high=traits.high,
                rate=decider.rate, tolerance=decider.tolerance,
            )  # fmt: skip
            return found, mine

        found, mine = jax.vmap(from_start)(jnp.arange(starts))
        used = mine > 0
        best = jnp.argmin(jnp.where(used, found.best_cost, jnp.inf))
        spent = jnp.sum(jnp.where(used, found.taken + 1, 0))
        sound = jnp.all(found.sound | ~used)
        value = jnp.where(used[best], -found.best_cost[best], 0.0)
        return found.best[best], value, spent, sound

    live = ~jax.vmap(task.terminated)(state)
    action, value, spent, sound = jax.vmap(one)(state, jnp.where(live, steps, 0), seeds(keys))
    return answer(live, action, None, value, model_steps=spent), sound
