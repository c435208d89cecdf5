"""Best of n: draw candidates from a base policy, score each by the objective, keep the best.

The least search there is on top of a policy, and the usual way to spend compute on a language
model's answers (Stiennon et al. 2020; Gao, Schulman and Hilton 2022).
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ...core.answering import answer, asked, timed
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, check_finite
from ...core.errors import UnsuitableTaskError
from ...core.masks import FORBIDDEN
from ...core.noise import Seed, as_key, gumbel, mix, seeds
from ...core.objective import Objective
from ...core.task import State, Task
from ..evaluators import Evaluator, NoEvaluation


class BestOfN(Decider):
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

    Raises `UnsuitableTaskError` for continuous actions and more than two players, and
    `NonFiniteError` if rewards, prior or values are not finite.
    """

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
        if not traits.discrete or traits.players not in (1, 2):
            raise UnsuitableTaskError(
                f"{task!r} has {traits.players} players and "
                f"{'numbered' if traits.discrete else 'continuous'} actions: best of n serves "
                "numbered actions of one player, or of two with opposite aims. For continuous "
                "actions, search with samples (`TreeSearch(sampling=...)`)."
            )
        if playouts < 1 or lanes < 1 or (depth is not None and depth < 0):
            raise ValueError(
                f"Best of n needs playouts and lanes of at least 1 and a depth of at least 0; got "
                f"playouts={playouts}, lanes={lanes}, depth={depth}."
            )
        self.task, self.base = task, NoEvaluation() if base is None else base
        self.budget, self.playouts, self.lanes = Budget.of(budget), playouts, lanes
        self.depth = None if depth is None or depth >= traits.horizon else depth

    def __repr__(self) -> str:
        base, to = type(self.base).__name__, "the end" if self.depth is None else self.depth
        spend = f"playouts={self.playouts} to {to}, budget={self.budget.simulations}"
        return f"BestOfN({self.task!r}, {base}, {spend})"

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Draw and score for every row; see `Decider.decide`."""
        limits, keys = asked(self.task, state, self.budget if budget is None else budget, key)
        started = time.perf_counter()
        objective = self.task.objective if objective is None else objective
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        count = jnp.minimum(limits[0], limits[1] // self._most)
        decision, score = _decide(planner, objective, state, count, seeds(keys))
        check_finite(type(self).__name__, prior_or_score=score)
        return timed(decision, started), memory

    @property
    def _most(self) -> int:
        """Model steps that one candidate may take."""
        depth = self.task.traits.horizon if self.depth is None else self.depth
        return self.playouts * (1 + depth)


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
    """The best candidate of each row so far, and what was spent."""

    action: Int[Array, " batch"]
    score: Float[Array, " batch"]
    sound: Bool[Array, " batch"]
    steps: Int[Array, " batch"]
    evaluations: Int[Array, " batch"]


@eqx.filter_jit
def _decide(
    planner: BestOfN,
    objective: Objective,
    state: State,
    count: Int[Array, " batch"],
    seed: Seed,
) -> tuple[Decision, Float[Array, " batch"]]:
    task, base, lanes = planner.task, planner.base, planner.lanes
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state)
    batch = live.shape[0]
    # The prior at the state itself: what the mover sees is the same in all states resampled.
    logits, played, sound = _prior(planner, objective, state, live, mix(seed, -1))
    drawn = _draw(logits, legal, mix(seed, -2))
    asked = live * jnp.int32(base.passes)
    held = _Held(drawn, jnp.full(batch, -jnp.inf), sound | ~live, played, asked)

    def going(carry: tuple[_Held, Int[Array, ""]]) -> Bool[Array, ""]:
        held, first = carry
        return (live & held.sound & (first < count)).any()

    def draw(carry: tuple[_Held, Int[Array, ""]]) -> tuple[_Held, Int[Array, ""]]:
        held, first = carry
        number = first + jnp.arange(lanes)
        real = (number < count[:, None]) & live[:, None] & held.sound[:, None]
        wide, seeds = _repeated(state, lanes), mix(seed[:, None], number)
        scores, actions, steps, asked, fine = _scored(
            planner, objective, wide, jnp.repeat(logits, lanes, 0), real.ravel(), seeds.ravel()
        )
        scores, actions, steps, asked, fine = (
            x.reshape(batch, lanes) for x in (scores, actions, steps, asked, fine)
        )
        scores = jnp.where(real, scores, -jnp.inf)
        best = jnp.argmax(scores, axis=1)
        top = scores.max(1)
        better = top > held.score
        action = jnp.take_along_axis(actions, best[:, None], 1)[:, 0]
        return _Held(
            jnp.where(better, action, held.action),
            jnp.where(better, top, held.score),
            held.sound & (fine | ~real).all(1),
            held.steps + steps.sum(1),
            held.evaluations + asked.sum(1),
        ), first + lanes

    held, _ = jax.lax.while_loop(going, draw, (held, jnp.int32(0)))
    searched = count > 0
    even = jnp.where(legal, jax.nn.softmax(jnp.where(legal, logits, FORBIDDEN)), 0.0)
    one = jax.nn.one_hot(held.action, legal.shape[1])
    each = base.flops / max(1, base.passes)
    decision = answer(
        live, held.action, jnp.where(searched[:, None], one, even),
        jnp.where(searched, held.score, 0.0), model_steps=held.steps,
        network_evaluations=held.evaluations, flops=held.evaluations * each,
    )  # fmt: skip
    return decision, jnp.where(held.sound, 0.0, jnp.nan)


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
) -> tuple[Array, Array, Array, Array, Array]:
    """(score for the mover, action, model steps, evaluations, all finite) of a candidate a row."""
    task = planner.task
    actions = _draw(logits, jax.vmap(task.legal)(state), mix(seed, 0))
    rows = real.shape[0]
    total, sound = jnp.zeros(rows), jnp.ones(rows, bool)
    steps, asked = jnp.zeros(rows, jnp.int32), jnp.zeros(rows, jnp.int32)
    for i in range(planner.playouts):
        now = mix(seed, i + 1)
        # One world for each playout: hidden cards and chance are drawn anew.
        world = jax.vmap(task.resample)(state, as_key(now))
        gain, taken, judged, fine = _continued(planner, objective, world, actions, real, now)
        total, sound = total + gain, sound & fine
        steps, asked = steps + taken, asked + judged
    mover = jnp.where(jax.vmap(task.player)(state) == 0, 1.0, -1.0)
    return mover * total / planner.playouts, actions, steps, asked, sound


def _continued(
    planner: BestOfN,
    objective: Objective,
    state: State,
    action: Int[Array, " rows"],
    real: Bool[Array, " rows"],
    seed: UInt32[Array, " rows"],
) -> tuple[Array, Array, Array, Array]:
    """Player 0's return of an action and what follows by the base policy."""
    task, base = planner.task, planner.base
    most = task.traits.horizon if planner.depth is None else planner.depth

    def going(carry: tuple) -> Bool[Array, ""]:
        return carry[2].any()

    def ply(carry: tuple) -> tuple:
        state, action, live, total, worth, plies, played, asked, sound = carry
        now = mix(seed, plies)
        after = jax.vmap(task.advance)(state, action, as_key(now))
        reward = jax.vmap(objective)(state, action, after)[:, 0]
        total = total + jnp.where(live, worth * reward, 0.0)
        plies = plies + live
        worth = worth * objective.discount
        open_ = live & ~jax.vmap(task.terminated)(after)
        found = base(task, objective, after, open_, mix(now, 1))
        mover = jnp.where(jax.vmap(task.player)(after) == 0, 1.0, -1.0)
        last = open_ & (plies > most)
        total = total + jnp.where(last, worth * mover * found.value, 0.0)
        fine = jnp.isfinite(found.logits).all(-1) & jnp.isfinite(total)
        action = _draw(found.logits, jax.vmap(task.legal)(after), mix(now, 2))
        sound = sound & (fine | ~open_) & jnp.isfinite(total)
        asked = asked + open_ * jnp.int32(base.passes)
        played = played + jnp.where(open_, found.model_steps, 0)
        return after, action, open_ & ~last, total, worth, plies, played, asked, sound

    zeros = jnp.zeros(real.shape)
    count = jnp.zeros(real.shape, jnp.int32)
    start = (state, action, real, zeros, zeros + 1, count, count, count, real | True)
    *_, total, _, plies, played, asked, sound = jax.lax.while_loop(going, ply, start)
    return total, plies + played, asked, sound
