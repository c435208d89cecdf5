"""Plan-until-habit: look a few actions ahead, then trust what is cached.

Keramati, Smittenaar, Dolan and Dayan (2016): Q(s, a) is the expected reward of the next k actions
by the model, and beyond them the cached value of where they lead. k = 0 is habit, k = the horizon
is planning: one family from amortised to direct optimisation.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.noise import Seed, random_choice, seeds
from ...core.objective import Objective, cancel
from ...core.rows import narrowed
from ...core.task import State, Task, is_concrete
from ...direct.checks import check_opposed, check_stuck
from ...direct.ties import slack
from .habits import Habit

LARGEST = 1 << 20
UNOPPOSED, STUCK = range(2)
"""What a look may meet: rewards of two players that do not cancel, a dead end."""
Met = Bool[Array, "2"]


class PlanUntilHabit(CheckedDecider):
    """Expects over all that can happen in the next `depth` actions, and asks the habit beyond.

    The actions in between are the best ones by these values (for two players, each one's best).
    Equally good actions share `weights`, from which the action is drawn. An objective handed over
    counts for the actions that are planned, and not in the habit.

    One simulation is the expansion of one node of the full tree; the budget says how deep a row
    looks: as deep as the whole tree of that depth is paid for, and no deeper than `depth`.
    `expansions(k)` is the budget for k actions. Depths are data: one compilation serves them all.

    Raises `UnsuitableTaskError` for hidden state, chance that is not listed (`Task.outcomes`),
    continuous actions, three players, or two who do not have opposite aims by the objective of the
    call (as far as it looks), `TooLargeError` where the tree of `depth` has over a million leaves,
    `NoLegalActionError` at a dead end, `NonFiniteError` where values are not finite.
    """

    task: Task
    habit: Habit
    depth: int = eqx.field(static=True)

    def __init__(self, task: Task, habit: Habit, *, depth: int):
        traits = task.traits
        listed = traits.deterministic or traits.outcomes > 0
        suits = traits.discrete and traits.fully_observable and listed and traits.players <= 2
        if not suits:
            raise UnsuitableTaskError(
                f"{task!r} hides something, has continuous actions, more than two players or "
                "chance that is not listed: plan-until-habit expects over all that can happen. "
                "Use `HistorySearch` or `NetworkPolicy`."
            )
        if depth < 0:
            raise ValueError(f"One looks 0 or more actions ahead; got depth={depth}.")
        leaves = _fan(task) ** depth
        if leaves > LARGEST:
            raise TooLargeError(
                f"Looking {depth} actions ahead in {task!r} comes to {leaves:,} leaves, over "
                f"{LARGEST:,}. Give a smaller depth."
            )
        self.task, self.habit, self.depth = task, habit, depth

    def __repr__(self) -> str:
        return f"PlanUntilHabit({self.task!r}, {type(self.habit).__name__}, depth={self.depth})"

    @property
    def budget(self) -> Budget:
        """That of a look as deep as `depth`."""
        return Budget.of(self.expansions(self.depth))

    def expansions(self, depth: int) -> int:
        """The budget with which a row looks so many actions ahead."""
        return sum(_fan(self.task) ** i for i in range(depth))

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Look ahead from every row, as deep as its budget pays for."""
        simulations, steps = question.limits
        needs = np.array([self.expansions(k) for k in range(1, self.depth + 1)], np.int32)
        # Every expansion takes at most as many model steps as a node has children.
        paid = jnp.minimum(simulations, steps // _fan(self.task))
        depths = (paid[:, None] >= needs).sum(-1).astype(jnp.int32)
        decision, values, met = _decide(
            self, question.objective, question.state, depths, seeds(question.keys)
        )
        if is_concrete(met):
            check_stuck(self.task, met[:, STUCK])
            check_opposed(self.task, ~met[:, UNOPPOSED], "plan-until-habit")
        check_finite(f"{type(self.habit).__name__} or the objective", action_values=values)
        return decision, question.memory


def _fan(task: Task) -> int:
    """Children of a node."""
    return task.traits.actions * max(1, task.traits.outcomes)


@eqx.filter_jit
def _decide(
    planner: PlanUntilHabit,
    objective: Objective,
    state: State,
    depths: Int[Array, " batch"],
    seed: Seed,
) -> tuple[Decision, Float[Array, "batch actions"], Bool[Array, "batch 2"]]:
    """The decision, player 0's action values, and what was met on the way."""
    task = planner.task
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state)

    def looking(levels: int):
        def look(state: State, depths: Int[Array, " batch"]):
            one = lambda s, k: _plan(planner, objective, s, k, levels)  # noqa: E731
            return jax.vmap(one)(state, depths)

        return look

    # Only the deepest look that some row asks for is computed.
    deepest = jnp.where(live, depths, 0).max(initial=0)
    looks = [looking(levels) for levels in range(planner.depth + 1)]
    q, steps, asked, met = jax.lax.switch(deepest, looks, state, jnp.where(live, depths, 0))
    sign = jnp.where(jax.vmap(task.player)(state) == 0, 1.0, -1.0)
    mine = jnp.where(legal, sign[:, None] * q, -jnp.inf)
    top = mine.max(-1, keepdims=True)
    best = legal & (mine >= top - slack(mine))
    weights = best / jnp.maximum(best.sum(-1, keepdims=True), 1)
    asked = jnp.where(live, asked, 0) * planner.habit.passes
    each = planner.habit.flops / max(1, planner.habit.passes)
    decision = answer(
        live, random_choice(weights, seed), weights, jnp.where(live, top[:, 0], 0.0),
        model_steps=jnp.where(live, steps, 0), network_evaluations=asked, flops=asked * each,
    )  # fmt: skip
    return decision, jnp.where(legal, q, 0.0), met & live[:, None]


def _plan(
    planner: PlanUntilHabit,
    objective: Objective,
    state: State,
    left: Int[Array, ""],
    levels: int,
) -> tuple[Float[Array, " actions"], Int[Array, ""], Int[Array, ""], Met]:
    """Player 0's action values in a state, looking `left` of at most `levels` actions ahead.

    With them the model steps that took, the looks at the habit, and what was met on the way.
    """
    task = planner.task
    sign = jnp.where(task.player(state) == 0, 1.0, -1.0)
    cached = narrowed(sign * planner.habit(task, state))
    nothing, one = jnp.int32(0), jnp.int32(1)
    if levels == 0:
        return cached, nothing, one, jnp.zeros(2, bool)
    listed = task.traits.outcomes > 0

    def after_action(action: Int[Array, ""]):
        if listed:
            after, chance = task.outcomes(state, action)
        else:
            after = task.advance(state, action, jax.random.key(0))
            after, chance = jax.tree.map(lambda x: x[None], after), jnp.ones(1)
        earned = jax.vmap(lambda s: jnp.asarray(objective(state, action, s)))(after)
        value, steps, asked, met = jax.vmap(
            lambda s: _value(planner, objective, s, left - 1, levels - 1)
        )(after)
        # Padding among the outcomes means nothing, not even NaN.
        can = chance > 0
        worth = chance * (earned[:, 0] + objective.discount * value)
        unopposed = ~cancel(earned) & (task.traits.players == 2)
        met = (met | jnp.stack([unopposed, jnp.zeros_like(unopposed)], -1)) & can[:, None]
        return (
            jnp.where(can, worth, 0.0).sum(), jnp.where(can, 1 + steps, 0).sum(),
            jnp.where(can, asked, 0).sum(), met.any(0),
        )  # fmt: skip

    worth, steps, asked, met = jax.vmap(after_action)(jnp.arange(task.traits.actions))
    legal = task.legal(state)
    planned = left > 0
    found = (
        jnp.where(planned, worth, cached),
        jnp.where(planned, jnp.where(legal, steps, 0).sum(), nothing),
        jnp.where(planned, jnp.where(legal, asked, 0).sum(), one),
        (met & legal[:, None]).any(0) & planned,
    )
    return narrowed(found)


def _value(
    planner: PlanUntilHabit,
    objective: Objective,
    state: State,
    left: Int[Array, ""],
    levels: int,
) -> tuple[Float[Array, ""], Int[Array, ""], Int[Array, ""], Met]:
    """The best for whoever moves; nothing is left to gain, or to ask, where it is over."""
    task = planner.task
    q, steps, asked, met = _plan(planner, objective, state, left, levels)
    sign = jnp.where(task.player(state) == 0, 1.0, -1.0)
    legal, over = task.legal(state), task.terminated(state)
    best = sign * jnp.where(legal, sign * q, -jnp.inf).max()
    met = met.at[STUCK].set(met[STUCK] | ~legal.any())
    found = (jnp.where(over, 0.0, best), jnp.where(over, 0, steps), jnp.where(over, 0, asked))
    return *found, met & ~over
