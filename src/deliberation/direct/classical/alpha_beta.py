"""Alpha-beta (Knuth and Moore 1975) with iterative deepening, compiled, row by row in step.

Nodes are expanded whole: all children are made and judged together, terminal ones and those at the
depth limit are settled at once, and the rest are walked through depth first, each in the window
that its siblings and ancestors leave. A walk's stack is as deep as the horizon.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.answering import CheckedDecider, Question, answer, uniform_weights
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.noise import Seed, mix, pick_uniform, seeds, uniform
from ...core.objective import Objective
from ...core.task import State, Task, is_concrete
from ..checks import check_deterministic, check_opposed, check_stuck
from ..evaluators import Evaluator, NoEvaluation
from .window import Walk, World, ended, expand, init, step

_NEEDS = (
    "alpha-beta needs a deterministic, discrete task in full view for one player, or for two with "
    "opposite aims. Use `TreeSearch` or `HistorySearch`."
)


class AlphaBeta(CheckedDecider):
    """Minimax with alpha-beta cuts, for one player or two, in full view and without chance.

    One simulation is the expansion of one node: a model step, and a judgement by `evaluator`, for
    each of its legal actions; playouts of the evaluator are counted as spent, but not foreseen. A
    search looks one ply ahead, then two, and so on, and answers with the deepest look it finished;
    values beyond it are the evaluator's (nothing unless given). It ends with its budget, at `depth`
    plies, or when no line was cut short: then the value is exact, and `exact` of the last look
    tells. Children are walked through in the order of their values. Among equally good actions it
    takes the first found. A budget too small for one look draws evenly; it counts the expansions
    all the same. `weights` are one action's alone.

    With a finite `margin` it also leaves out children that the evaluator thinks worse than their
    best sibling by more than that (in units of return, for the player to move): forward pruning,
    which saves expansions and errs where the evaluator does. The margin is data.

    Raises `UnsuitableTaskError` for chance, hidden state, continuous actions, three players or two
    whose rewards (by the objective of the call) are not opposite, `NoLegalActionError` where a
    state that is not terminal has no legal action, and `NonFiniteError` where rewards or values are
    not finite. Only what the search meets is refused: what it cut may hold any of them.
    """

    pads: ClassVar[bool] = True
    task: Task
    evaluator: Evaluator
    budget: Budget
    margin: Float[Array, ""]
    depth: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        evaluator: Evaluator | None = None,
        *,
        budget: Budget | int = 1024,
        depth: int | None = None,
        margin: float | Float[Array, ""] = float("inf"),
    ):
        check_deterministic(task, _NEEDS)
        if depth is not None and depth < 1:
            raise ValueError(f"A search looks at least 1 ply ahead; got depth={depth}.")
        self.task, self.budget = task, Budget.of(budget)
        self.evaluator = NoEvaluation() if evaluator is None else evaluator
        self.depth = min(depth or task.traits.horizon, task.traits.horizon)
        self.margin = jnp.asarray(margin, jnp.float32)
        if not bool(self.margin >= 0):
            raise ValueError(f"A margin is 0 or more, in units of return; got {margin}.")

    def __repr__(self) -> str:
        judge = type(self.evaluator).__name__
        pruned = "" if bool(jnp.isinf(self.margin)) else f", margin={float(self.margin):g}"
        budget = self.budget.simulations
        return f"AlphaBeta({self.task!r}, {judge}, budget={budget}, depth={self.depth}{pruned})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Search from every row."""
        decision, faults, looked = look(
            self, question.objective, question.state, question.limits, question.keys
        )
        if is_concrete(looked):
            check_stuck(self.task, looked.stuck)
            check_opposed(self.task, looked.opposed, "alpha-beta search")
        check_finite("alpha-beta search", rewards_and_values=faults)
        return decision, question.memory


class Looked(eqx.Module):
    """What the searches of a batch came to, beside their decisions."""

    exact: Bool[Array, " batch"]
    """Whether no line was cut short or left out: the value is the true one."""
    depth: Int[Array, " batch"]
    """Plies of the deepest look that was finished."""
    expansions: Int[Array, " batch"]
    scores: Float[Array, "batch actions"]
    """Of the last look: what each root action is worth to player 0, or a bound on it."""
    opposed: Bool[Array, " batch"]
    """Whether all rewards met were opposite for two players."""
    stuck: Bool[Array, " batch"]
    """Whether a dead end was met: a state that is not terminal and leaves nothing to do."""


def look(
    decider: AlphaBeta,
    objective: Objective | None,
    state: State,
    limits: tuple[Int[Array, " batch"], Int[Array, " batch"]],
    keys: Key[Array, " batch"],
) -> tuple[Decision, Float[Array, " batch"], Looked]:
    """The decision, NaN where something was not finite, and how the search went. Pure."""
    objective = decider.task.objective if objective is None else objective
    world = World(decider.task, objective, decider.evaluator, decider.margin)
    return _look(world, decider.depth, state, limits, seeds(keys))


@eqx.filter_jit
def _look(
    world: World,
    depth: int,
    state: State,
    limits: tuple[Int[Array, " batch"], Int[Array, " batch"]],
    seed: Seed,
) -> tuple[Decision, Float[Array, " batch"], Looked]:
    live = ~jax.vmap(world.task.terminated)(state)
    legal = jax.vmap(world.task.legal)(state)
    mover = jnp.where(jax.vmap(world.task.player)(state) == 0, 1.0, -1.0)
    walk = init(world, state, live, depth, limits, seed)

    def going(walk: Walk) -> Bool[Array, ""]:
        return walk.busy.any()

    def round_of_moves(walk: Walk) -> Walk:
        # One move of the walk for each row, then, where it came to a new node, its expansion.
        walk, asks = step(walk, world)
        return ended(expand(walk, world, asks), depth)

    walk = jax.lax.while_loop(going, round_of_moves, walk)
    found = walk.answer >= 0
    drawn = pick_uniform(legal, uniform(mix(seed, 0)))
    action = jnp.where(found, walk.answer, drawn)
    weights = jnp.where(
        found[:, None], jax.nn.one_hot(action, legal.shape[1]), uniform_weights(legal)
    )
    each = world.evaluator.flops / max(1, world.evaluator.passes)
    decision = answer(
        live, action, weights, jnp.where(found, mover * walk.value, 0.0),
        model_steps=walk.steps, network_evaluations=walk.evaluations,
        flops=walk.evaluations * each,
    )  # fmt: skip
    faults = jnp.where(walk.sound, 0.0, jnp.nan)
    looked = Looked(
        walk.exact & found, walk.looked, walk.expansions, walk.scores, walk.opposed, walk.stuck
    )
    return decision, faults, looked
