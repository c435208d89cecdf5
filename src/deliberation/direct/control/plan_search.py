"""The decider that all planners over action sequences are: they differ in `search` alone."""

import abc
from typing import ClassVar, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import BatchMismatchError, ForeignMemoryError
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task, is_concrete
from ..checks import check_stuck
from .plans import (
    Ahead,
    Plan,
    Planning,
    Scores,
    Spent,
    choose,
    cost_of,
    make_planning,
    middle,
    score,
    shifted,
)


class Problem(eqx.Module):
    """One state to plan from, for one objective, by at most `allowed` simulations."""

    planning: Planning
    objective: Objective
    state: State
    allowed: Int[Array, ""]

    def scored(self, plans: Float[Array, "plans horizon ..."], key: Key[Array, ""]) -> Scores:
        """Roll plans out."""
        return score(self.planning, self.objective, self.state, plans, key)


class Start(eqx.Module):
    """Where a search begins: a mean plan (a habit), how wide, and plans to try as they are.

    `spread` is NaN for the planner's own; `count` of the `plans` are real.
    """

    mean: Plan
    spread: Float[Array, ""]
    plans: Float[Array, "plans horizon ..."]
    count: Int[Array, ""]


class Found(eqx.Module):
    """What a search ends with: the plan to follow, and the habit that the next one begins from.

    `weights` is over the actions, or a single 1 where they are continuous; `value` is NaN where
    any return was not finite.
    """

    plan: Plan
    habit: Plan
    weights: Float[Array, " actions"]
    value: Float[Array, ""]
    spent: Spent


class PlanSearch(CheckedDecider):
    """Searches over sequences of actions from each state, carries out the first, and plans anew.

    One simulation is one plan rolled out over the planning horizon (by every particle). A cap on
    model steps is kept as well, each plan counted at its longest; playouts of a `terminal`
    evaluator are counted as spent but not foreseen. Budget 0 answers with the habit: the shifted
    plan of the decision before, the proposals' own action, or the middle of the range (discrete:
    any action). The value is the return expected over the planning horizon, and what `terminal`
    says of its end; where chance decides it is an estimate by `particles` futures of the plan that
    fared best in them, and so too high. With `warm_start` a search begins from the plan of the one
    before, one step later. Raises `NonFiniteError` where a return is NaN or infinite, and
    `NoLegalActionError` where a plan comes to a state that is live and leaves nothing to do; in a
    compiled function the row's value is NaN.
    """

    pads: ClassVar[bool] = True
    task: Task
    planning: Planning
    budget: Budget
    warm_start: bool = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        horizon: int,
        budget: Budget | int,
        warm_start: bool,
        **ahead: Unpack[Ahead],
    ):
        self.task, self.budget, self.warm_start = task, Budget.of(budget), warm_start
        self.planning = make_planning(task, horizon=horizon, **ahead)

    @abc.abstractmethod
    def search(self, problem: Problem, start: Start, key: Key[Array, ""]) -> Found:
        """Find a plan for one state; pure. No more than `problem.allowed` plans are scored."""

    def begin(self, batch: int) -> Memory:
        """No plan yet: the middle of the range everywhere."""
        if not self.warm_start:
            return None
        plan = middle(self.planning)
        return jnp.broadcast_to(plan, (batch, *plan.shape))

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Plan from every row."""
        keys, (simulations, steps) = question.keys, question.limits
        allowed = jnp.minimum(simulations, steps // self.planning.plan_cost)
        memory = self.begin(len(keys)) if question.memory is None else question.memory
        self._check_own(memory, len(keys))
        aim = self.planning.model.objective if question.given is None else question.given
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        decision, memory, stuck = _decide(planner, aim, question.state, memory, allowed, keys)
        if is_concrete(stuck):
            check_stuck(self.planning.model, stuck)
        check_finite(f"A plan of {self!r}", value=decision.value, action=decision.action)
        return decision, memory

    def _check_own(self, memory: Memory, batch: int) -> None:
        if not self.warm_start:
            return
        wanted = (self.planning.horizon, *self.planning.width)
        shape = getattr(memory, "shape", None)
        if shape is None or shape[1:] != wanted:
            raise ForeignMemoryError(
                f"{self!r} remembers plans of shape {wanted} a row; got {shape}. Start with "
                "`begin(batch)` and hand on what `decide` returns."
            )
        if shape[0] != batch:
            raise BatchMismatchError(f"A memory of {shape[0]} rows for a batch of {batch}.")

    def _repr(self, *extra: str) -> str:
        plan = self.planning
        parts = [repr(self.task), f"horizon={plan.horizon}", f"budget={self.budget.simulations}"]
        if plan.particles > 1:
            parts.append(f"particles={plan.particles}")
        if plan.model is not plan.task:
            parts.append(f"model={plan.model!r}")
        for name in ("terminal", "proposals"):
            if (part := getattr(plan, name)) is not None:
                parts.append(f"{name}={type(part).__name__}")
        return f"{type(self).__name__}({', '.join([*parts, *extra])})"


@eqx.filter_jit
def _decide(
    decider: PlanSearch,
    objective: Objective,
    state: State,
    memory: Memory,
    allowed: Int[Array, " batch"],
    keys: Key[Array, " batch"],
) -> tuple[Decision, Memory, Bool[Array, " batch"]]:
    planning, task = decider.planning, decider.task

    def one(state: State, habit: Plan | None, allowed: Int[Array, ""], key: Key[Array, ""]):
        live = ~task.terminated(state)
        problem = Problem(planning, objective, state, jnp.where(live, allowed, 0))
        propose, search = jax.random.split(key)
        start, spent = _start(problem, habit, propose)
        left = eqx.tree_at(lambda p: p.allowed, problem, problem.allowed - spent.simulations)
        found = decider.search(left, start, search)
        return live, found, spent + found.spent

    live, found, spent = jax.vmap(one)(state, memory, allowed, keys)
    first = jax.vmap(lambda s, p: choose(task, s, p[0]))(state, found.plan)
    if not task.traits.discrete:
        # An average of actions may round past the bounds.
        first = jnp.clip(first, task.traits.low, task.traits.high)
    stuck = live & spent.stuck
    decision = answer(
        live, first, found.weights, jnp.where(stuck, jnp.nan, found.value),
        model_steps=spent.model_steps, network_evaluations=spent.network_evaluations,
        flops=spent.flops,
    )  # fmt: skip
    if not decider.warm_start:
        return decision, memory, stuck
    last = middle(planning)[-1]
    habit = jax.vmap(lambda p: shifted(p, last))(found.habit)
    return decision, where_rows(live, habit, memory), stuck


def _start(problem: Problem, habit: Plan | None, key: Key[Array, ""]) -> tuple[Start, Spent]:
    """What a search begins from. Making the proposals takes at most half of what is allowed."""
    planning, state = problem.planning, problem.state
    mean = middle(planning) if habit is None else habit
    proposals = planning.proposals
    if proposals is None:
        return Start(mean, jnp.float32(jnp.nan), mean[None], jnp.int32(0)), Spent.nothing()
    draw, roll = jax.random.split(key)
    if not planning.task.traits.fully_observable:
        state = planning.task.resample(state, draw)
    count = jnp.minimum(proposals.plans, (problem.allowed + 1) // 2)
    made = proposals.propose(planning.model, state, planning.horizon, count, roll)
    act, cost = proposals.act(planning.model, state)
    # Without a simulation there is no rollout: one look at the state is all that is answered from.
    none = problem.allowed == 0
    mean = jnp.where(none, jnp.broadcast_to(act, mean.shape), made.mean)
    spent = jax.tree.map(lambda a, b: jnp.where(none, a, b), cost, made.spent)
    plans, drawn = made.plans, jnp.maximum(count - 1, 0)
    if habit is not None:
        # What was planned a step ago is tried as well: it may be better than what is proposed.
        plans, drawn = jnp.concatenate([habit[None], plans]), drawn + 1
    return Start(mean, made.spread, plans, drawn), spent


def with_given(
    start: Start, plans: Float[Array, "plans horizon ..."], first: Int[Array, ""] | int
) -> Float[Array, "plans horizon ..."]:
    """Some plans, of which those from `first` on are replaced by the ones that were proposed."""
    places = jnp.arange(plans.shape[0]) - first
    given = start.plans[jnp.clip(places, 0, start.plans.shape[0] - 1)]
    real = (places >= 0) & (places < start.count)
    return where_rows(real, given, plans)


class Best(eqx.Module):
    """The best plan that was scored, its return, and whether all returns were finite."""

    plan: Plan
    value: Float[Array, ""]
    sound: Array

    @staticmethod
    def none(plan: Plan) -> "Best":
        """Nothing scored yet."""
        return Best(plan, jnp.float32(-jnp.inf), jnp.bool_(True))

    def among(self, plans: Array, value: Float[Array, " plans"], real: Array) -> "Best":
        """The better of this one and the best real one of some plans; the first where they tie."""
        sound = self.sound & (jnp.isfinite(value) | ~real).all()
        worth = rank_of(value, real)
        top = jnp.argmax(worth)
        better = worth[top] > self.value
        return Best(
            jnp.where(better, plans[top], self.plan), jnp.maximum(self.value, worth[top]), sound
        )

    def read(self, value: Float[Array, ""] | None = None) -> Float[Array, ""]:
        """The return to answer with: 0 if nothing was scored, NaN if anything was not finite."""
        known = jnp.where(jnp.isneginf(self.value), 0.0, self.value if value is None else value)
        return jnp.where(self.sound, known, jnp.nan)


def rank_of(value: Float[Array, " plans"], real: Array) -> Float[Array, " plans"]:
    """Returns to be compared: minus infinity for what is not real or not finite."""
    return jnp.where(real & jnp.isfinite(value), value, -jnp.inf)


def spend(problem: Problem, scores: Scores, real: Array) -> Spent:
    """What scoring the real plans took."""
    return cost_of(problem.planning, scores, real)
