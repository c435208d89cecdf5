"""Quantilisers: choose at random among the best fraction of what a trusted policy would do.

Taylor (2016, "Quantilizers: A Safer Alternative to Maximizers for Limited Optimization"): of the
base policy's mass, the fraction q with the highest utility is kept and renormalised. Whatever the
cost that nobody wrote into the utility, its expectation is at most 1/q times the base policy's.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.noise import Seed, as_key, mix, random_choice, seeds
from ...core.objective import Objective, cancel
from ...core.task import State, Task, is_concrete
from ...direct.checks import check_opposed, check_stuck
from ...direct.evaluators import Evaluator, RandomRollouts, speaks_for_all
from ...direct.playouts import of_player


class Quantiliser(CheckedDecider):
    """Draws from the top q of a base decider's `weights`, by the utility that a judge estimates.

    The utility of an action is what the player to move gets for taking it and the judge's value,
    for that player, of where that leads, averaged over samples (`task.resample`, fresh chance):
    playouts unless another `judge` is given. One simulation is one judgement; all legal actions get
    equally many, so a budget of less than one for each leaves the base policy as it is, and so does
    q = 1. As q falls to 0 it maximises.

    `q`, one number or one a row, is data. The base decider is asked with `base_budget`, and what it
    spends is counted. A cap on model steps is looked at between rounds of judgements, so the last
    round may pass it. `value` is the expected utility of the answer; unjudged, what the base says.

    A judge that speaks for the player to move alone serves one player, or two with opposite aims;
    playouts serve any number, each after its own rewards.

    Raises `UnsuitableTaskError` for continuous actions and for other aims than the judge serves (of
    the objective handed over too), `ValueError` for a q not above 0 and at most 1,
    `NoLegalActionError` at a dead end, and `NonFiniteError` if a utility is not finite.
    """

    task: Task
    base: Decider
    judge: Evaluator
    q: Float[Array, "*batch"]
    budget: Budget
    base_budget: Budget | None

    def __init__(
        self,
        base: Decider,
        judge: Evaluator | None = None,
        *,
        q: float | Float[Array, "*batch"] = 0.1,
        budget: Budget | int = 64,
        base_budget: Budget | int | None = None,
    ):
        if not base.task.traits.discrete:
            raise UnsuitableTaskError(
                f"{base.task!r} has continuous actions: a quantiliser weighs numbered ones."
            )
        self.task, self.base = base.task, base
        self.judge = RandomRollouts() if judge is None else judge
        if self.task.traits.players > 2 and not speaks_for_all(self.judge):
            raise UnsuitableTaskError(
                f"{self.task!r} has {self.task.traits.players} players and "
                f"{type(self.judge).__name__} judges for one of them: use RandomRollouts."
            )
        self.q, self.budget = jnp.asarray(q, jnp.float32), Budget.of(budget)
        self.base_budget = None if base_budget is None else Budget.of(base_budget)
        if not isinstance(self.q, Tracer) and not bool(((self.q > 0) & (self.q <= 1)).all()):
            raise ValueError(f"q is the share of the base policy that is kept, above 0; got {q}.")

    def __repr__(self) -> str:
        q = f"{float(self.q):g}" if self.q.ndim == 0 else "one a row"
        return f"Quantiliser({self.base!r}, {type(self.judge).__name__}, q={q})"

    def begin(self, batch: int) -> Memory:
        """The base decider's."""
        return self.base.begin(batch)

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Ask the base decider, judge its actions, and draw from the best share."""
        state, keys = question.state, question.keys
        prior, memory = self.base.decide(
            state, question.memory, budget=self.base_budget, key=keys,
            objective=question.given,
        )  # fmt: skip
        decision, utility, met = _decide(
            self.task, self.judge, question.objective, state, (prior.weights, prior.value),
            jnp.broadcast_to(self.q, keys.shape), question.limits, mix(seeds(keys), 0),
        )  # fmt: skip
        if is_concrete(met):
            check_stuck(self.task, met.stuck)
        check_finite(f"{type(self.judge).__name__} or the objective", utility=utility)
        if is_concrete(met) and not speaks_for_all(self.judge):
            check_opposed(self.task, ~met.unopposed, "a quantiliser")
        # `decide` takes the wall time of both.
        base = eqx.tree_at(lambda s: s.seconds, prior.spent, jnp.zeros(keys.shape))
        return eqx.tree_at(lambda d: d.spent, decision, decision.spent + base), memory


def quantilise(
    base: Float[Array, "*batch actions"],
    utility: Float[Array, "*batch actions"],
    q: Float[Array, "*batch"] | float,
) -> Float[Array, "*batch actions"]:
    """The base distribution restricted to its top q mass by utility (Taylor 2016, definition 1).

    The action at the edge is kept in part; among equal utilities the first comes first. No action
    gets more than 1/q times its base probability: so E[cost] <= E_base[cost] / q for every cost
    that is not negative, and the divergence from the base is at most log(1/q), which it is where
    the edge falls between two actions.
    """
    order = jnp.argsort(-utility, axis=-1, stable=True)
    mass = jnp.take_along_axis(base, order, axis=-1)
    before = jnp.cumsum(mass, axis=-1) - mass
    kept = jnp.clip(jnp.asarray(q)[..., None] - before, 0.0, mass)
    places = jnp.argsort(order, axis=-1, stable=True)
    weights = jnp.take_along_axis(kept, places, axis=-1)
    return weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)


class _Met(eqx.Module):
    """What judging an action met: rewards of two players that do not cancel, a dead end."""

    unopposed: Bool[Array, "*rows"]
    stuck: Bool[Array, "*rows"]


@eqx.filter_jit
def _decide(
    task: Task,
    judge: Evaluator,
    objective: Objective,
    state: State,
    prior: tuple[Float[Array, "batch actions"], Float[Array, " batch"]],
    q: Float[Array, " batch"],
    limits: tuple[Int[Array, " batch"], Int[Array, " batch"]],
    seed: Seed,
) -> tuple[Decision, Float[Array, "batch actions"], _Met]:
    """The decision, the utilities, and what was met on the way to them."""
    base, believed = prior
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state) & live[:, None]
    count = legal.sum(-1)
    rounds = jnp.where(live, limits[0] // jnp.maximum(count, 1), 0)
    zeros = jnp.zeros(live.shape, jnp.int32)

    def going(carry: tuple) -> Bool[Array, ""]:
        return _wants(carry, rounds, limits[1], count).any()

    def judged(carry: tuple) -> tuple:
        total, steps, asked, done, number, met = carry
        wants = _wants(carry, rounds, limits[1], count)
        ask = legal & wants[:, None]
        worth, taken, looks, now = _worths(task, judge, objective, state, ask, mix(seed, number))
        total = total + jnp.where(ask, worth, 0.0)
        met = jax.tree.map(lambda a, b: a | (b & ask).any(-1), met, now)
        return total, steps + taken, asked + looks, done + wants, number + 1, met

    blank = jnp.zeros(legal.shape)
    start = (blank, zeros, zeros, zeros, jnp.int32(0), _Met(~live & live, ~live & live))
    total, steps, asked, done, _, met = jax.lax.while_loop(going, judged, start)
    utility = total / jnp.maximum(done, 1)[:, None]
    # What nobody would do, or may do, comes last.
    ranked = jnp.where(legal & (base > 0), utility, -jnp.inf)
    weights = jnp.where((done > 0)[:, None], quantilise(base, ranked, q), base)
    passes = asked * judge.passes
    value = jnp.where(done > 0, (weights * utility).sum(-1), believed)
    decision = answer(
        live, random_choice(weights, mix(seed, -1)), weights, value,
        model_steps=steps, network_evaluations=passes,
        flops=passes * (judge.flops / max(1, judge.passes)),
    )  # fmt: skip
    return decision, utility, met


def _wants(
    carry: tuple, rounds: Int[Array, " batch"], most: Int[Array, " batch"], count: Array
) -> Bool[Array, " batch"]:
    """Rows that are due another round of judgements and may take its model steps."""
    _, steps, _, done, *_ = carry
    return (done < rounds) & (count <= most - steps)


def _worths(
    task: Task,
    judge: Evaluator,
    objective: Objective,
    state: State,
    ask: Bool[Array, "batch actions"],
    seed: Seed,
) -> tuple[
    Float[Array, "batch actions"],
    Int[Array, " batch"],
    Int[Array, " batch"],
    _Met,
]:
    """One sample of every action's utility for the mover; its model steps, judgements, faults."""
    batch, actions = ask.shape
    each = mix(seed[:, None], jnp.arange(actions)).ravel()
    wide = jax.tree.map(lambda x: jnp.repeat(x, actions, axis=0), state)
    world = jax.vmap(task.resample)(wide, as_key(each))
    action = jnp.tile(jnp.arange(actions, dtype=jnp.int32), batch)
    after = jax.vmap(task.advance)(world, action, as_key(mix(each, 1)))
    reward = jax.vmap(objective)(world, action, after)
    live = ask.ravel() & ~jax.vmap(task.terminated)(after)
    found = judge(task, objective, after, live, mix(each, 2))
    values = found.to_all(jax.vmap(task.player)(after), task.traits.players)
    worth = reward + objective.discount * jnp.where(live[:, None], values, 0.0)
    mine = of_player(worth, jax.vmap(task.player)(wide)).reshape(ask.shape)
    stuck = live & ~jax.vmap(task.legal)(after).any(-1)
    stuck = stuck if found.stuck is None else stuck | (live & found.stuck)
    unopposed = ~cancel(reward) & (task.traits.players == 2)
    met = _Met(*(x.reshape(ask.shape) for x in (unopposed, stuck)))
    steps = ask.sum(-1) + jnp.where(live, found.model_steps, 0).reshape(ask.shape).sum(-1)
    looks = live.reshape(ask.shape).sum(-1).astype(jnp.int32)
    return mine, steps.astype(jnp.int32), looks, met
