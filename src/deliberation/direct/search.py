"""Batched tree search in rounds: descend, step the model, insert.

All rows simulate in step; a row whose budget is spent is carried along unchanged. Only the paths
that the simulations took are read or written, so a round's cost grows with the depth of the tree
and not with its size. Budgets are data: one compilation serves every budget up to the capacity.
The tree is walked by one of two back ends with the same results (`backend.py`).

Values that are certain are proved on the way up (MCTS-Solver, Winands et al. 2008): an edge into a
terminal node is settled, and so is a node once all its edges are, or one of them at the best return
there can be. Settled edges are not searched again, and a settled root ends its row's search.
Without proofs only edges into terminal nodes are settled, and rules do not hear of it.
"""

from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..core.noise import Seed, mix
from ..core.task import State
from .backend import BackendName, backend_for
from .lanes import IDLE, Widths
from .model import Model
from .rules import Rule, Schedule
from .tree import COUNT, LOGIT, NODE_SLOTS, SIGN, TOTAL, VALUE, Tree, empty

Bounds = tuple[float | Array, float | Array]


class Outcome(eqx.Module):
    """A search so far: the tree, what the rule kept, and what each row spent.

    `sound` is false for rows in which a prior, value, reward or sum of them was NaN or infinite, or
    which are `stuck`: they met a state that is not terminal and has no legal action. `done` is true
    for rows whose root's value is proved, which no further simulation can change.
    """

    tree: Tree
    schedule: Schedule
    seed: UInt32[Array, " batch"]
    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]
    evaluations: Int[Array, " batch"]
    sound: Bool[Array, " batch"]
    stuck: Bool[Array, " batch"]
    done: Bool[Array, " batch"]


class Limits(eqx.Module):
    """What each row may spend.

    The cap on model steps is looked at between rounds, so the last one may pass it. The first
    simulation is always taken if both are positive (judging the root may already have used the
    steps), and there are never more simulations than the cap: those that end in a settled edge
    take no step.
    """

    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]

    def left(self, outcome: Outcome) -> Int[Array, " batch"]:
        """How many simulations each row may still take; 0 for rows that have finished."""
        most = jnp.minimum(self.simulations, self.model_steps) - outcome.simulations
        steps = jnp.maximum(self.model_steps - outcome.model_steps, outcome.simulations == 0)
        return jnp.where(outcome.done, 0, jnp.maximum(jnp.minimum(most, steps), 0))


def search(
    model: Model,
    rule: Rule,
    root: State,
    limits: Limits,
    seed: Seed,
    *,
    capacity: int,
    judge: bool,
    prove: bool = True,
    widths: Widths = None,
    backend: BackendName = "auto",
) -> Outcome:
    """Search every row of a batch of root states; pure, and to be jitted by the caller.

    `seed` is one uint32 a row (`core.noise.seeds`); a row's tree depends on its own state, limits
    and seed alone. Terminal rows are left with an empty tree. `judge`: whether the roots are judged
    before the first simulation.
    """
    budget = jnp.minimum(limits.simulations, limits.model_steps)
    outcome = plant(model, rule, root, budget, seed, capacity=capacity, judge=judge, prove=prove)
    return proceed(model, rule, outcome, limits, widths=widths, backend=backend)


def plant(
    model: Model,
    rule: Rule,
    root: State,
    budget: Int[Array, " batch"],
    seed: Seed,
    *,
    capacity: int,
    judge: bool,
    prove: bool = True,
) -> Outcome:
    """Trees of the roots alone, judged if so asked or if the rule wants a value."""
    judge = judge or rule.needs_value
    step = model.root(root, mix(seed, 0), judge)
    tree = empty(step.state, model.actions, capacity, prove)
    edges = tree.edges.at[:, 0, LOGIT].set(step.logits)
    node = jnp.zeros((seed.shape[0], NODE_SLOTS)).at[:, COUNT].set(float(judge))
    node = node.at[:, TOTAL].set(step.value).at[:, VALUE].set(step.value).at[:, SIGN].set(step.sign)
    tree = Tree(edges, tree.nodes.at[:, 0].set(node), tree.states, tree.size, tree.form, prove)
    schedule = rule.begin(tree.root, budget, mix(seed, 1))
    done = step.over | step.stuck
    zero = jnp.zeros(seed.shape, jnp.int32)
    return Outcome(
        tree, schedule, seed, zero, step.model_steps, step.evaluations, step.sound, step.stuck, done
    )


def proceed(
    model: Model,
    rule: Rule,
    outcome: Outcome,
    limits: Limits,
    *,
    widths: Widths = None,
    backend: BackendName = "auto",
) -> Outcome:
    """Go on with a search until its limits, which may be raised and gone on with again.

    A row never has more nodes than its tree has room for.
    """
    walk = backend_for(rule, outcome.tree, backend)
    room = outcome.tree.nodes.shape[1]
    lanes = rule.lane_widths(model.actions)
    ceilings = _ceilings(model.bounds)

    def left(outcome: Outcome) -> Int[Array, " batch"]:
        return jnp.minimum(limits.left(outcome), room - outcome.tree.size)

    for width, narrower in zip(lanes, (*lanes[1:], 0), strict=True):

        def may(outcome: Outcome, narrower: int = narrower) -> Int[Array, " batch"]:
            waits = rule.waits(outcome.schedule, narrower) if narrower else False
            return jnp.where(waits, 0, left(outcome))

        def going(outcome: Outcome) -> Bool[Array, ""]:
            return (may(outcome) > 0).any()

        def simulate(outcome: Outcome) -> Outcome:
            return _round(model, rule, outcome, may(outcome), width, walk, widths, ceilings)  # noqa: B023

        outcome = jax.lax.while_loop(going, simulate, outcome)
    return outcome


def _round(
    model: Model,
    rule: Rule,
    outcome: Outcome,
    left: Int[Array, " batch"],
    width: int,
    walk: ModuleType,
    widths: Widths,
    ceilings: Float[Array, "2"],
) -> Outcome:
    """One simulation in each lane of each row that has any left."""
    forced, schedule = rule.next_lanes(outcome.tree.root, outcome.schedule, width)
    going = left > 0
    schedule = jax.tree.map(
        lambda new, old: jnp.where(going.reshape(-1, *[1] * (new.ndim - 1)), new, old),
        schedule, outcome.schedule,
    )  # fmt: skip
    lane = jnp.arange(width)
    active = (lane < left[:, None]) & (forced != IDLE)
    forced = jnp.where(active, forced, IDLE)
    number = outcome.simulations[:, None] + jnp.cumsum(active, axis=1, dtype=jnp.int32)
    noise = mix(outcome.seed[:, None], number)
    depth = min(model.horizon, outcome.tree.nodes.shape[1])
    pair = jnp.stack([noise, jnp.zeros_like(noise)], axis=-1)
    leaf, before = walk.descend(outcome.tree, rule, forced, pair, widths, depth)
    new = (active & (leaf.child == 0)).reshape(-1)
    step = model.step(before, leaf.action.reshape(-1), new, number.reshape(-1), noise.reshape(-1))
    inserted = walk.insert(outcome.tree, leaf, active, step, ceilings)
    row = lambda x: x.reshape(active.shape)  # noqa: E731
    summed = inserted.tree.root
    finite = jnp.isfinite(summed.total) & jnp.isfinite(summed.q).all(1)
    sound = row(step.sound).all(1) & finite
    return Outcome(
        inserted.tree,
        schedule,
        outcome.seed,
        outcome.simulations + active.sum(1, dtype=jnp.int32),
        outcome.model_steps + row(step.model_steps).sum(1, dtype=jnp.int32),
        outcome.evaluations + row(step.evaluations).sum(1, dtype=jnp.int32),
        outcome.sound & sound,
        outcome.stuck | row(step.stuck).any(1),
        outcome.done | inserted.done,
    )


def _ceilings(bounds: Bounds) -> Float[Array, "2"]:
    """From where on a value counts as the best there is, for player 0 and for player 1."""
    low, high = bounds
    return jnp.stack([high - slack(bounds), -low - slack(bounds)]).astype(jnp.float32)


def slack(bounds: Bounds) -> Float[Array, ""]:
    """How near to a bound counts as at it: rounding, even where all returns are tiny."""
    return 1e-5 * jnp.minimum(1.0, bounds[1] - bounds[0])
