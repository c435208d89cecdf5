"""Best of n: draw candidates from a base policy, score each by the objective, keep the best.

The least search there is on top of a policy, and the usual way to spend compute on a language
model's answers (Stiennon et al. 2020; Gao, Schulman and Hilton 2022).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.noise import Seed, as_key, gumbel, mix, seeds
from ...core.objective import Objective, cancel
from ...core.rows import as_kinds
from ...core.task import State, Task, is_concrete
from ..checks import check_opposed, check_stuck
from ..evaluators import Evaluation, Evaluator, NoEvaluation, speaks_for_all
from ..playouts import of_player, play


class BestOfN(CheckedDecider):
    """The best of as many actions as the budget allows, drawn from a base policy.

    The base policy is the prior of `base` (uniform unless given). Each candidate is an action drawn
    from it in `task.resample` of the state, scored by the return of `playouts` continuations under
    the same policy, averaged, with fresh chance; with `depth`, a playout ends after so many further
    actions and counts the value of `base` there (depth 0: the value of where the action leads). The
    largest score is answered, the first drawn among equal ones. One simulation is one candidate;
    budget 0 draws from the base policy, budget 1 too, and knows what it is worth.

    Drawn from a policy whose answers all score differently, the best of n is away from it by
    log n - (n - 1)/n nats (`divergence`); `chances` gives its distribution. `weights` are one
    action's alone. A cap on model steps allows as many candidates as surely fit; playouts that
    `base` makes to judge a state are counted as spent, but not foreseen.

    The value is the largest score: where chance decides, of the luckiest candidate, and too high.

    Each candidate is scored by what its own player gets, however many players there are. Where a
    playout ends early and `base` speaks for the player to move alone, two players must have
    opposite aims.

    Raises `UnsuitableTaskError` for continuous actions and, where playouts end early, for aims that
    are not opposite; `NoLegalActionError` where a playout comes to a dead end; `NonFiniteError` if
    rewards, prior or values are not finite.
    """

    pads: ClassVar[bool] = True
    task: Task
    base: Evaluator
    budget: Budget
    playouts: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)
    lanes: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        base: Evaluator | None = None,
        *,
        budget: Budget | int = 16,
        playouts: int = 1,
        depth: int | None = None,
        lanes: int = 8,
    ):
        traits = task.traits
        if not traits.discrete:
            raise UnsuitableTaskError(
                f"{task!r} has continuous actions: best of n draws numbered ones. Search with "
                "samples instead (`TreeSearch(sampling=...)`)."
            )
        if playouts < 1 or lanes < 1 or (depth is not None and depth < 0):
            raise ValueError(
                f"Best of n needs playouts and lanes of at least 1 and a depth of at least 0; got "
                f"playouts={playouts}, lanes={lanes}, depth={depth}."
            )
        self.task, self.base = task, NoEvaluation() if base is None else base
        self.budget, self.playouts, self.lanes = Budget.of(budget), playouts, lanes
        self.depth = None if depth is None or depth >= traits.horizon else depth
        if traits.players > 2 and self.depth is not None and not speaks_for_all(self.base):
            raise UnsuitableTaskError(
                f"{task!r} has {traits.players} players, and {type(self.base).__name__} values a "
                "state for one of them: play to the end (depth=None), or let RandomRollouts judge."
            )

    def __repr__(self) -> str:
        base, to = type(self.base).__name__, "the end" if self.depth is None else self.depth
        spend = f"playouts={self.playouts} to {to}, budget={self.budget.simulations}"
        return f"BestOfN({self.task!r}, {base}, {spend})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Draw and score for every row."""
        simulations, steps = question.limits
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        count = jnp.minimum(simulations, steps // self._most)
        decision, held = _decide(
            planner, question.objective, question.state, count, seeds(question.keys)
        )
        if is_concrete(held):
            check_stuck(self.task, held.stuck)
            if self.depth is not None and not speaks_for_all(self.base):
                check_opposed(self.task, held.opposed, type(self).__name__)
        check_finite(type(self).__name__, prior_or_score=jnp.where(held.sound, 0.0, jnp.nan))
        return decision, question.memory

    @property
    def _most(self) -> int:
        """Model steps that one candidate may take."""
        return self.playouts * (1 + self._further)

    @property
    def _further(self) -> int:
        """Actions of a playout after the candidate's own: none goes beyond the horizon."""
        return self.task.traits.horizon - 1 if self.depth is None else self.depth


def divergence(n: int | float | np.ndarray) -> float | np.ndarray:
    """Nats by which the best of n differs from the policy it is drawn from: log n - (n - 1)/n.

    For answers that all score differently and have no mass of their own; else it is an upper bound
    (Beirami et al. 2024).
    """
    return np.log(n) - (n - 1) / n


def chances(
    base: Float[np.ndarray, "*batch actions"], scores: Float[np.ndarray, "*batch actions"], n: int
) -> Float[np.ndarray, "*batch actions"]:
    """How probable each action is as the best of n draws, equal scores shared as the base does."""
    score, other = scores[..., :, None], scores[..., None, :]
    below = (base[..., None, :] * (other < score)).sum(-1)
    level = (base[..., None, :] * (other == score)).sum(-1)
    share = np.divide(base, level, out=np.zeros_like(base), where=level > 0)
    return share * ((below + level) ** n - below**n)


class _Held(eqx.Module):
    """The best candidate of each row so far, what was spent, and what was met on the way."""

    action: Int[Array, " batch"]
    score: Float[Array, " batch"]
    sound: Bool[Array, " batch"]
    stuck: Bool[Array, " batch"]
    opposed: Bool[Array, " batch"]
    steps: Int[Array, " batch"]
    evaluations: Int[Array, " batch"]


class _Noted(eqx.Module):
    """What the base policy took in one playout: model steps, evaluations, unsound answers."""

    model_steps: Int[Array, " rows"]
    asked: Int[Array, " rows"]
    unsound: Int[Array, " rows"]


class _Tried(eqx.Module):
    """What all players got in some playouts, what these took, and how many of them went wrong.

    A playout is `unsound` where a number was not finite, `stuck` at a dead end, `unopposed` where
    the rewards of the players do not cancel.
    """

    returns: Float[Array, "*rows players"]
    steps: Int[Array, "*rows"]
    asked: Int[Array, "*rows"]
    unsound: Int[Array, "*rows"]
    stuck: Int[Array, "*rows"]
    unopposed: Int[Array, "*rows"]


@eqx.filter_jit
def _decide(
    planner: BestOfN,
    objective: Objective,
    state: State,
    count: Int[Array, " batch"],
    seed: Seed,
) -> tuple[Decision, _Held]:
    task, base, lanes = planner.task, planner.base, planner.lanes
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state)
    batch = live.shape[0]
    # The prior at the state itself: what the mover sees is the same in all states resampled.
    logits, played, sound = _prior(planner, objective, state, live, mix(seed, -1))
    drawn = _draw(logits, legal, mix(seed, -2))
    asked = live * jnp.int32(base.passes)
    lowest, never = jnp.full(batch, -jnp.inf), jnp.zeros(batch, bool)
    held = _Held(drawn, lowest, sound | ~live, never, ~never, played, asked)

    def going(carry: tuple[_Held, Int[Array, ""]]) -> Bool[Array, ""]:
        held, first = carry
        return (live & held.sound & (first < count)).any()

    def draw(carry: tuple[_Held, Int[Array, ""]]) -> tuple[_Held, Int[Array, ""]]:
        held, first = carry
        number = first + jnp.arange(lanes)
        real = (number < count[:, None]) & live[:, None] & held.sound[:, None]
        wide, seeds = _repeated(state, lanes), mix(seed[:, None], number)
        found = _scored(
            planner, objective, wide, jnp.repeat(logits, lanes, 0), real.ravel(), seeds.ravel()
        )
        scores, actions, tried = jax.tree.map(
            lambda x: x.reshape(batch, lanes, *x.shape[1:]), found
        )
        scores = jnp.where(real, scores, -jnp.inf)
        best = jnp.argmax(scores, axis=1)
        top = scores.max(1)
        better = top > held.score
        action = jnp.take_along_axis(actions, best[:, None], 1)[:, 0]
        now = _Held(
            jnp.where(better, action, held.action),
            jnp.where(better, top, held.score),
            held.sound & ~(tried.unsound > 0).any(1),
            held.stuck | (tried.stuck > 0).any(1),
            held.opposed & ~(tried.unopposed > 0).any(1),
            held.steps + tried.steps.sum(1),
            held.evaluations + tried.asked.sum(1),
        )
        return as_kinds(now, held), first + lanes

    held, _ = jax.lax.while_loop(going, draw, (held, jnp.int32(0)))
    searched = count > 0
    even = jnp.where(legal, jax.nn.softmax(jnp.where(legal, logits, -jnp.inf)), 0.0)
    one = jax.nn.one_hot(held.action, legal.shape[1])
    each = base.flops / max(1, base.passes)
    decision = answer(
        live, held.action, jnp.where(searched[:, None], one, even),
        jnp.where(searched, held.score, 0.0), model_steps=held.steps,
        network_evaluations=held.evaluations, flops=held.evaluations * each,
    )  # fmt: skip
    return decision, held


def _repeated(state: State, lanes: int) -> State:
    return jax.tree.map(lambda x: jnp.repeat(x, lanes, axis=0), state)


def _prior(
    planner: BestOfN, objective: Objective, state: State, live: Bool[Array, " batch"], seed: Seed
) -> tuple[Float[Array, "batch actions"], Int[Array, " batch"], Bool[Array, " batch"]]:
    found = planner.base(planner.task, objective, state, live, seed)
    return found.logits, jnp.where(live, found.model_steps, 0), jnp.isfinite(found.logits).all(-1)


def _draw(
    logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"], seed: Seed
) -> Int[Array, " batch"]:
    """An action from the prior over legal ones, by the Gumbel-max trick."""
    noise = gumbel(mix(seed[:, None], jnp.arange(legal.shape[1])))
    return jnp.argmax(jnp.where(legal, logits + noise, -jnp.inf), axis=1).astype(jnp.int32)


def _scored(
    planner: BestOfN,
    objective: Objective,
    state: State,
    logits: Float[Array, "rows actions"],
    real: Bool[Array, " rows"],
    seed: UInt32[Array, " rows"],
) -> tuple[Float[Array, " rows"], Int[Array, " rows"], _Tried]:
    """Of a candidate a row: its score for the mover, its action, and how its playouts went."""
    task = planner.task
    actions = _draw(logits, jax.vmap(task.legal)(state), mix(seed, 0))
    tries = []
    for i in range(planner.playouts):
        now = mix(seed, i + 1)
        # One world for each playout: hidden cards and chance are drawn anew.
        world = jax.vmap(task.resample)(state, as_key(now))
        tries.append(_continued(planner, objective, world, actions, real, mix(now, 0)))
    total = jax.tree.map(lambda *x: sum(x), *tries)
    score = of_player(total.returns, jax.vmap(task.player)(state)) / planner.playouts
    return score, actions, total


def _continued(
    planner: BestOfN,
    objective: Objective,
    state: State,
    action: Int[Array, " rows"],
    real: Bool[Array, " rows"],
    seed: UInt32[Array, " rows"],
) -> _Tried:
    """Take an action and go on by the base policy."""
    task, base = planner.task, planner.base

    def policy(state: State, live: Bool[Array, " rows"], seed: Seed) -> tuple[Array, _Noted]:
        found = base(task, objective, state, live, mix(seed, 1))
        chosen = _draw(found.logits, jax.vmap(task.legal)(state), mix(seed, 2))
        return chosen, _noted(base, found)

    after = jax.vmap(task.advance)(state, action, as_key(seed))
    reward = jax.vmap(objective)(state, action, after)
    open_ = real & ~jax.vmap(task.terminated)(after)
    rest = play(task, objective, policy, after, open_, mix(seed, 1), most=planner._further)
    total, noted, stuck = reward + objective.discount * rest.returns, rest.notes, rest.stuck
    opposed = cancel(total)
    if planner.depth is not None:
        found = base(task, objective, rest.state, rest.live, mix(seed, 2))
        values = found.to_all(jax.vmap(task.player)(rest.state), task.traits.players)
        worth = (objective.discount * rest.worth)[:, None] * values
        total = total + jnp.where(rest.live[:, None], worth, 0.0)
        noted = jax.tree.map(lambda a, b: a + rest.live * b, noted, _noted(base, found))
        if found.stuck is not None:
            stuck = stuck | (rest.live & found.stuck)
    unsound = real & ((noted.unsound > 0) | ~jnp.isfinite(total).all(-1))
    counts = (unsound, real & stuck, real & ~unsound & ~opposed)
    steps = noted.model_steps + (1 + rest.steps) * real
    return _Tried(total, steps, noted.asked, *(x.astype(jnp.int32) for x in counts))


def _noted(base: Evaluator, found: Evaluation) -> _Noted:
    unsound = ~jnp.isfinite(found.logits).all(-1)
    asked = jnp.full(unsound.shape, base.passes, jnp.int32)
    return _Noted(found.model_steps, asked, unsound.astype(jnp.int32))
