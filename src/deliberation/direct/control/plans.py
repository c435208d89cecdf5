"""What planners over action sequences share: plans are rolled out by the model and scored.

A plan is a fixed sequence of actions ("open loop"). Continuous actions are written as they are;
of discrete ones a plan holds a score for each action at each step, and the legal action with the
greatest score is taken: so a plan is never illegal, whatever state it leads to.

All plans of one round meet the same chance ("common random numbers"), drawn from fresh keys, never
from the world's own; where anything is hidden they start from states drawn by `Task.resample`.
"""

import abc
from typing import TypedDict

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import UnsuitableTaskError
from ...core.noise import seeds
from ...core.objective import Action, Objective
from ...core.rows import as_kinds, in_one_row
from ...core.task import State, Task, Traits
from ..evaluators import Evaluator, ask

Plan = Float[Array, "horizon ..."]
Plans = Float[Array, "plans horizon ..."]


class Spent(eqx.Module):
    """What one decision has spent so far, and whether a plan came to a dead end (`stuck`).

    That is a state which is live and has no legal action.
    """

    simulations: Int[Array, ""]
    model_steps: Int[Array, ""]
    network_evaluations: Int[Array, ""]
    flops: Float[Array, ""]
    stuck: Bool[Array, ""]

    def __add__(self, other: "Spent") -> "Spent":
        return jax.tree.map(jnp.add, self, other)

    @staticmethod
    def nothing() -> "Spent":
        """Zero of everything."""
        zero = jnp.int32(0)
        return Spent(zero, zero, zero, jnp.float32(0), jnp.bool_(False))


class ProposedPlans(eqx.Module):
    """Plans to begin with. `mean` is where sampling starts; `plans` are tried as they are.

    `plans` has at least one row; all but the first `count` - 1 of what was asked for are padding,
    for the mean is one of those. `spread` is the standard deviation to start with, in units of half
    the range, or NaN for the planner's own.
    """

    mean: Plan
    spread: Float[Array, ""]
    plans: Plans
    spent: Spent


class PlanProposals(eqx.Module):
    """Proposes plans from a state, so that a planner need not begin from nothing.

    `plans` is how many it can propose. The only way into these planners for a learned policy.
    """

    plans: eqx.AbstractVar[int]

    @abc.abstractmethod
    def act(self, task: Task, state: State) -> tuple[Float[Array, "..."], Spent]:
        """One step of a plan, without any rollout: what a budget of 0 is answered with."""

    @abc.abstractmethod
    def propose(
        self, task: Task, state: State, horizon: int, count: Int[Array, ""], key: Key[Array, ""]
    ) -> ProposedPlans:
        """`count` plans (at most `plans`), each of which takes one simulation to make."""


class Planning(eqx.Module):
    """How plans are judged: on which model, how far ahead, how often, and what comes after.

    `model` is a task whose states have the form of `task`'s (a learned model is one). `particles`
    futures are averaged for each plan. `terminal` values the state in which a plan ends before the
    episode does; without it nothing is expected from there on.
    """

    task: Task
    model: Task
    terminal: Evaluator | None
    proposals: PlanProposals | None
    horizon: int = eqx.field(static=True)
    particles: int = eqx.field(static=True)

    @property
    def width(self) -> tuple[int, ...]:
        """The shape of one step of a plan."""
        traits = self.task.traits
        return (traits.actions,) if traits.discrete else traits.shape

    @property
    def plan_cost(self) -> int:
        """The most steps of the model that rolling one plan out may take."""
        return self.horizon * self.particles

    @property
    def passes(self) -> int:
        """More than 0 if anything learned may be asked, as `Evaluator.passes` says of one."""
        parts = (self.terminal, self.proposals, None if self.model is self.task else self.model)
        return sum(part is not None for part in parts)

    @property
    def certain(self) -> bool:
        """Whether a plan has one return, so that the best one seen is the best one."""
        traits = self.model.traits
        return traits.deterministic and self.task.traits.fully_observable


class Ahead(TypedDict, total=False):
    """What every planner may be told beside the horizon; see `Planning`."""

    model: Task | None
    particles: int | None
    terminal: Evaluator | None
    proposals: PlanProposals | None


def make_planning(
    task: Task,
    *,
    horizon: int,
    model: Task | None = None,
    particles: int | None = None,
    terminal: Evaluator | None = None,
    proposals: PlanProposals | None = None,
) -> Planning:
    """Check the settings that all planners share; see `Planning`.

    `particles` None: one where nothing is left to chance, else eight. Raises `UnsuitableTaskError`
    for two players and for models of another form, `ValueError` for numbers below 1.
    """
    model = task if model is None else model
    _check_model(task, model)
    traits = model.traits
    certain = traits.deterministic and task.traits.fully_observable
    particles = (1 if certain else 8) if particles is None else particles
    for name, number in (("horizon", horizon), ("particles", particles)):
        if number < 1:
            raise ValueError(f"Planning needs {name} of at least 1; got {number}.")
    return Planning(task, model, terminal, proposals, min(horizon, traits.horizon), particles)


def _check_model(task: Task, model: Task) -> None:
    if task.traits.players != 1:
        raise UnsuitableTaskError(
            f"{task!r} has {task.traits.players} players: a fixed sequence of actions is a plan "
            "for one player alone. Use `TreeSearch` or `HistorySearch`."
        )
    key = jax.random.key(0)
    mine, other = ((jax.eval_shape(t.init, key), _actions(t.traits)) for t in (task, model))
    forms = [(jax.tree.structure(s), [(x.shape, x.dtype) for x in jax.tree.leaves(s)], a)
             for s, a in (mine, other)]  # fmt: skip
    if forms[0] != forms[1]:
        raise UnsuitableTaskError(
            f"{model!r} is no model of {task!r}: states are {mine[0]} there and {other[0]} here, "
            f"actions {mine[1]} and {other[1]}. Let the model take the task's states and actions."
        )


def _actions(traits: Traits) -> tuple:
    return (traits.discrete, traits.actions, traits.shape, traits.low, traits.high)


class Scores(eqx.Module):
    """Of each plan: its mean return over the particles, and the share of each action at each step.

    `taken` is None for continuous actions; its rows are zero where every particle had ended.
    `model_steps` and `ends` (terminal evaluations) are of all particles together. `stuck` plans
    came to a dead end in one of their futures; what follows there counts as nothing.
    """

    value: Float[Array, " plans"]
    taken: Float[Array, "plans horizon actions"] | None
    model_steps: Int[Array, " plans"]
    ends: Int[Array, " plans"]
    stuck: Bool[Array, " plans"]


def score(
    planning: Planning, objective: Objective, state: State, plans: Plans, key: Key[Array, ""]
) -> Scores:
    """Roll every plan out by every particle; pure, for one state. NaN and infinity pass through."""
    hidden, chance, after = jax.random.split(key, 3)
    count, particles = plans.shape[0], planning.particles
    starts = jax.tree.map(lambda x: jnp.broadcast_to(x, (particles, *x.shape)), state)
    if not planning.task.traits.fully_observable:
        starts = jax.vmap(planning.task.resample)(starts, jax.random.split(hidden, particles))
    keys = jax.random.split(chance, (particles, planning.horizon))

    def follow(plan: Plan, start: State, keys: Key[Array, " horizon"]) -> tuple:
        return _follow(planning, objective, plan, start, keys)

    each = jax.vmap(jax.vmap(follow, (None, 0, 0)), (0, None, None))
    end, total, worth, steps, stuck, taken = each(plans, starts, keys)
    steps, ends = steps.sum(1), jnp.zeros(count, jnp.int32)
    if planning.terminal is not None:
        flat = in_one_row(end)
        live = ~jax.vmap(planning.model.terminated)(flat) & ~stuck.ravel()
        seed = seeds(jax.random.split(after, live.shape[0]))
        left = jnp.full(live.shape, planning.model.traits.horizon - planning.horizon)
        found = ask(planning.terminal, planning.model, objective, flat, live, seed, left)
        rest = jnp.where(live, found.value, 0.0).reshape(total.shape)
        total = total + worth * rest
        live = live.reshape(total.shape)
        steps = steps + jnp.where(live, found.model_steps.reshape(total.shape), 0).sum(1)
        ends = live.sum(1).astype(jnp.int32)
        if found.stuck is not None:
            stuck = stuck | (live & found.stuck.reshape(total.shape))
    shares = None if taken is None else taken.mean(1)
    return Scores(total.mean(1), shares, steps, ends, stuck.any(1))


def _follow(
    planning: Planning,
    objective: Objective,
    plan: Plan,
    start: State,
    keys: Key[Array, " horizon"],
) -> tuple:
    """One plan in one future.

    Returns its end, its discounted return, what one is worth there, the steps to it, whether it is
    a dead end, and the actions taken (None where they are continuous).
    """
    model, discrete = planning.model, planning.task.traits.discrete

    def step(carry: tuple, now: tuple) -> tuple:
        state, total, worth, steps, stuck = carry
        written, key = now
        stuck = stuck | is_dead_end(model, state)
        over = model.terminated(state) | stuck
        action = choose(model, state, written)
        after = model.advance(state, action, key)
        reward = jnp.asarray(objective(state, action, after))[0]
        total = total + jnp.where(over, 0.0, worth * reward)
        worth = jnp.where(over, worth, worth * objective.discount)
        kept = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
        one = jax.nn.one_hot(action, written.shape[-1]) * ~over if discrete else None
        return as_kinds((kept, total, worth, steps + ~over, stuck), carry), one

    zero = jnp.float32(0)
    carry = (start, zero, zero + 1, jnp.int32(0), jnp.bool_(False))
    (end, total, worth, steps, stuck), taken = jax.lax.scan(step, carry, (plan, keys))
    return end, total, worth, steps, stuck | is_dead_end(model, end), taken


def is_dead_end(model: Task, state: State) -> Bool[Array, ""]:
    """Whether a state is live and leaves nothing to do: no task may have such states."""
    return ~model.terminated(state) & ~model.legal(state).any()


def choose(task: Task, state: State, written: Float[Array, "..."]) -> Action:
    """The action that one step of a plan stands for in a state."""
    if not task.traits.discrete:
        return written
    return jnp.argmax(jnp.where(task.legal(state), written, -jnp.inf)).astype(jnp.int32)


def cost_of(planning: Planning, scores: Scores, real: Bool[Array, " plans"]) -> Spent:
    """What scoring the real ones among some plans has spent."""
    ends = jnp.where(real, scores.ends, 0).sum()
    passes = 0 if planning.terminal is None else planning.terminal.passes
    flops = 0.0 if planning.terminal is None else planning.terminal.flops
    return Spent(
        real.sum().astype(jnp.int32),
        jnp.where(real, scores.model_steps, 0).sum().astype(jnp.int32),
        (ends * passes).astype(jnp.int32),
        (ends * flops).astype(jnp.float32),
        (real & scores.stuck).any(),
    )


def shifted(plan: Plan, last: Float[Array, "..."]) -> Plan:
    """The plan one step later, `last` put at its end."""
    return jnp.concatenate([plan[1:], last[None]])


def middle(planning: Planning) -> Plan:
    """The plan that knows nothing: the middle of the range, or equal scores for all actions."""
    traits = planning.task.traits
    centre = 0.0 if traits.discrete else (traits.low + traits.high) / 2
    return jnp.full((planning.horizon, *planning.width), centre, jnp.float32)


def half_range(traits: Traits) -> float:
    """Half the range of a continuous action."""
    return (traits.high - traits.low) / 2
