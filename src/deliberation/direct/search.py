"""Batched tree search in three phases: descend, expand, back up.

All rows take their simulations in step; a row whose budget is spent is carried along unchanged.
Only the path that a simulation took is read or written, so its cost grows with the depth of the
tree and not with its size. Budgets are data: one compilation serves every budget up to the
capacity.

Values that are certain are proved on the way up (MCTS-Solver, Winands et al. 2008): an edge into a
terminal node is settled, and so is a node once all its edges are, or one of them at the best return
there can be. Settled edges are not searched again, and a settled root ends its row's search.
Without proofs only edges into terminal nodes are settled, and rules do not hear of it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.noise import Seed, as_key, mix, uniform
from ..core.objective import Objective
from ..core.task import State, Task
from .evaluators import Evaluation, Evaluator
from .rules import Rule, Schedule
from .tree import (
    CHILD,
    FORBIDDEN,
    LOGIT,
    REWARD,
    SIGN,
    TOTAL,
    VALUE,
    VISITS,
    NodeView,
    Tree,
    empty,
    pack,
)

Bounds = tuple[float | Array, float | Array]


class Outcome(eqx.Module):
    """A finished search: the tree, what the rule kept, and what each row spent.

    `sound` is false for rows in which a prior, value, reward or sum of them was NaN or infinite, or
    which are `stuck`: they met a state that is not terminal and has no legal action. `done` is true
    for rows whose root's value is proved, which no further simulation can change.
    """

    tree: Tree
    schedule: Schedule
    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]
    evaluations: Int[Array, " batch"]
    sound: Bool[Array, " batch"]
    stuck: Bool[Array, " batch"]
    done: Bool[Array, " batch"]


class Gains(eqx.Module):
    """What a simulation found, for player 0: the last reward, the leaf's value, whether exact."""

    reward: Float[Array, " batch"]
    value: Float[Array, " batch"]
    exact: Bool[Array, " batch"]


class Path(eqx.Module):
    """The edges that the current simulation took: node and action at each depth."""

    nodes: Int[Array, "depth batch"]
    actions: Int[Array, "depth batch"]
    length: Int[Array, " batch"]


class Leaf(eqx.Module):
    """Where a descent ended: an edge without a child, or a settled one."""

    node: Int[Array, " batch"]
    action: Int[Array, " batch"]
    child: Int[Array, " batch"]


class Limits(eqx.Module):
    """What each row may spend.

    The cap on model steps is looked at between simulations, so the last one may pass it. The first
    is always taken if both are positive (judging the root may already have used the steps), and
    there are never more simulations than the cap: those that end in a settled edge take no step.
    """

    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]

    def allow(self, outcome: Outcome) -> Bool[Array, " batch"]:
        """Rows that may simulate once more."""
        most = jnp.minimum(self.simulations, self.model_steps)
        within = (outcome.model_steps < self.model_steps) | (outcome.simulations == 0)
        return (outcome.simulations < most) & within & ~outcome.done


def search(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    rule: Rule,
    root: State,
    limits: Limits,
    seed: Seed,
    *,
    capacity: int,
    prove: bool = True,
) -> Outcome:
    """Search every row of a batch of root states; pure, and to be jitted by the caller.

    `seed` is one uint32 a row (`core.noise.seeds`); a row's tree depends on its own state, limits
    and seed alone. Terminal rows are left with an empty tree.
    """
    outcome = _plant(task, objective, evaluator, rule, root, limits, seed, capacity, prove)

    def going(carry: tuple[Int[Array, ""], Outcome]) -> Bool[Array, ""]:
        return limits.allow(carry[1]).any() & (carry[0] <= capacity)

    def simulate(carry: tuple[Int[Array, ""], Outcome]) -> tuple[Int[Array, ""], Outcome]:
        slot, outcome = carry
        active, now = limits.allow(outcome), mix(seed, slot)
        path, leaf, schedule = descend(rule, outcome, active, now, task.traits.horizon)
        outcome, gains = expand(task, objective, evaluator, outcome, leaf, active, slot, now)
        tree, done = back_up(outcome.tree, path, active, gains, objective)
        return slot + 1, Outcome(
            tree,
            schedule,
            outcome.simulations + active,
            outcome.model_steps,
            outcome.evaluations,
            outcome.sound & jnp.isfinite(tree.edges[:, 0, TOTAL]).all(-1),
            outcome.stuck,
            outcome.done | done,
        )

    return jax.lax.while_loop(going, simulate, (jnp.int32(1), outcome))[1]


def _plant(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    rule: Rule,
    root: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
    prove: bool,
) -> Outcome:
    """A tree of the roots alone, judged if the evaluator has a prior or the rule wants a value."""
    live = ~jax.vmap(task.terminated)(root)
    zero = jnp.zeros(live.shape, jnp.int32)
    judged = Evaluation(jnp.zeros((*live.shape, task.traits.actions)), jnp.zeros(live.shape), zero)
    asked = evaluator.has_prior or rule.needs_value
    if asked:
        judged = evaluator(task, objective, root, live, mix(seed, 0))
    legal = jax.vmap(task.legal)(root)
    sign = _sign(task, root)
    tree = empty(root, task.traits.actions, capacity, prove)
    edges = tree.edges.at[:, 0, LOGIT].set(_mask(judged.logits, legal))
    nodes = tree.nodes.at[:, 0, SIGN].set(sign).at[:, 0, VALUE].set(judged.value * sign)
    tree = Tree(edges, nodes, tree.states, tree.form, prove)
    schedule = rule.begin(tree.at(zero), limits.simulations, mix(seed, 1))
    evaluations = live * (evaluator.passes if asked else 0)
    stuck = live & ~legal.any(-1)
    sound = ~live | (_finite(judged, legal) & ~stuck)
    steps = judged.model_steps * live
    return Outcome(tree, schedule, zero, steps, evaluations, sound, stuck, ~live | stuck)


def descend(
    rule: Rule, outcome: Outcome, active: Bool[Array, " batch"], seed: Seed, horizon: int
) -> tuple[Path, Leaf, Schedule]:
    """Follow the rule from each root to an edge without a child or to a settled one."""
    tree, zero = outcome.tree, jnp.zeros(active.shape, jnp.int32)
    root = tree.at(zero)
    scores, schedule = rule.root(root, outcome.schedule)
    schedule = jax.tree.map(
        lambda new, old: jnp.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old),
        schedule,
        outcome.schedule,
    )
    # A cycle-free tree is no deeper than its nodes, an episode no longer than its horizon.
    depth = min(horizon, tree.edges.shape[1])
    blank = jnp.zeros((depth, active.shape[0]), jnp.int32)

    def take(path: Path, leaf: Leaf, going: Array, scores: Array, node: NodeView, d: Array):
        action = best_action(jnp.where(node.legal, scores, 2 * FORBIDDEN), mix(seed, leaf.node))
        child = jnp.take_along_axis(node.child, action[:, None], 1)[:, 0].astype(jnp.int32)
        path = Path(
            path.nodes.at[d].set(leaf.node),
            path.actions.at[d].set(action),
            path.length + going,
        )
        pick = lambda new, old: jnp.where(going, new, old)  # noqa: E731
        return path, Leaf(leaf.node, pick(action, leaf.action), pick(child, leaf.child))

    def going_on(carry: tuple) -> Bool[Array, ""]:
        return carry[2].any()

    def down(carry: tuple) -> tuple:
        path, leaf, going, d = carry
        leaf = Leaf(jnp.where(going, leaf.child, leaf.node), leaf.action, leaf.child)
        node = tree.at(leaf.node)
        path, leaf = take(path, leaf, going, rule.interior(node), node, d)
        return path, leaf, going & (leaf.child > 0), d + 1

    # Rows that take no part keep pointing at their first edge as it is.
    idle = Leaf(zero, zero, root.child[:, 0].astype(jnp.int32))
    path, leaf = take(Path(blank, blank, zero), idle, active, scores, root, jnp.int32(0))
    start = (path, leaf, active & (leaf.child > 0), jnp.int32(1))
    path, leaf, _, _ = jax.lax.while_loop(going_on, down, start)
    return path, leaf, schedule


def expand(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    outcome: Outcome,
    leaf: Leaf,
    active: Bool[Array, " batch"],
    slot: Int[Array, ""],
    seed: Seed,
) -> tuple[Outcome, Gains]:
    """Step from the leaf edge and judge the new state.

    A settled node that is visited again is neither stepped nor judged again.
    """
    tree, rows = outcome.tree, jnp.arange(active.shape[0])
    new = active & (leaf.child == 0)
    before = tree.state(leaf.node)
    after = jax.vmap(task.advance)(before, leaf.action, as_key(mix(seed, 1)))
    over = jax.vmap(task.terminated)(after)
    legal = jax.vmap(task.legal)(after) & ~over[:, None]
    judged = evaluator(task, objective, after, new & ~over, mix(seed, 2))
    sign = _sign(task, after)
    value = jnp.where(new & ~over, judged.value * sign, 0.0)
    known = tree.nodes[rows, jnp.abs(leaf.child)]
    reward = jax.vmap(objective)(before, leaf.action, after)[:, 0]
    stuck = new & ~over & ~legal.any(-1)
    sound = ~new | (jnp.isfinite(reward) & ~stuck & (over | _finite(judged, legal)))
    reward = jnp.where(new, reward, known[:, REWARD])
    value = jnp.where(new, value, known[:, VALUE])

    edge = jnp.zeros_like(tree.edges[:, 0]).at[:, LOGIT].set(_mask(judged.logits, legal))
    edges = jax.lax.dynamic_update_index_in_dim(tree.edges, edge, slot, 1)
    child = jnp.where(new, jnp.where(over, -slot, slot), leaf.child).astype(jnp.float32)
    edges = edges.at[rows, leaf.node, CHILD, leaf.action].set(child)
    nodes = jax.lax.dynamic_update_index_in_dim(
        tree.nodes, jnp.stack([sign, reward, value], axis=-1), slot, 1
    )
    states = jax.lax.dynamic_update_index_in_dim(tree.states, pack(after), slot, 1)
    asked = (new & ~over).astype(jnp.int32)
    return (
        Outcome(
            Tree(edges, nodes, states, tree.form, tree.prove),
            outcome.schedule,
            outcome.simulations,
            outcome.model_steps + new + judged.model_steps * asked,
            outcome.evaluations + asked * evaluator.passes,
            outcome.sound & sound,
            outcome.stuck | stuck,
            outcome.done,
        ),
        Gains(reward, value, child < 0),
    )


def back_up(
    tree: Tree,
    path: Path,
    active: Bool[Array, " batch"],
    gains: Gains,
    objective: Objective,
) -> tuple[Tree, Bool[Array, " batch"]]:
    """Add one simulation's return to the edges of its path, from the leaf up to the root.

    Also returns the rows whose root got settled by it.
    """
    rows = jnp.arange(active.shape[0])

    def up(carry: tuple) -> tuple:
        edges, nodes, gain, exact, worth, d = carry
        on = active & (d < path.length)
        node, action = path.nodes[d], path.actions[d]
        update = jnp.stack([on.astype(jnp.float32), jnp.where(on, gain, 0.0)], axis=-1)
        edges = edges.at[rows, node, VISITS : TOTAL + 1, action].add(update)
        here = nodes[rows, node]
        if tree.prove:
            edges = _settle(edges, node, action, on & exact, worth)
            proved, best = _proved(edges[rows, node], here[:, SIGN], objective.bounds)
            exact = jnp.where(on, proved & exact, exact)
            nodes = nodes.at[rows, node, VALUE].set(jnp.where(on & exact, best, here[:, VALUE]))
            worth = jnp.where(on, here[:, REWARD] + objective.discount * best, worth)
        gain = jnp.where(on, here[:, REWARD] + objective.discount * gain, gain)
        return edges, nodes, gain, exact, worth, d - 1

    gain = gains.reward + objective.discount * gains.value
    start = (tree.edges, tree.nodes, gain, gains.exact & active, gain, path.length.max() - 1)
    edges, nodes, _, exact, _, _ = jax.lax.while_loop(lambda carry: carry[-1] >= 0, up, start)
    return Tree(edges, nodes, tree.states, tree.form, tree.prove), exact & tree.prove


def _settle(
    edges: Float[Array, "batch nodes 4 actions"],
    node: Int[Array, " batch"],
    action: Int[Array, " batch"],
    exact: Bool[Array, " batch"],
    worth: Float[Array, " batch"],
) -> Float[Array, "batch nodes 4 actions"]:
    """Where the edge's return is known exactly, make its mean that and negate its child."""
    rows = jnp.arange(node.shape[0])
    edge = edges[rows, node, :, action]
    total = jnp.where(exact, edge[:, VISITS] * worth, edge[:, TOTAL])
    child = jnp.where(exact, -jnp.abs(edge[:, CHILD]), edge[:, CHILD])
    edge = jnp.stack([edge[:, VISITS], total, edge[:, LOGIT], child], axis=-1)
    return edges.at[rows, node, :, action].set(edge)


def _proved(
    edges: Float[Array, "batch 4 actions"],
    sign: Float[Array, " batch"],
    bounds: Bounds,
) -> tuple[Bool[Array, " batch"], Float[Array, " batch"]]:
    """Whether a node's value follows from its settled edges, and that value for player 0."""
    legal = edges[:, LOGIT] > FORBIDDEN / 2
    settled = edges[:, CHILD] < 0
    q = edges[:, TOTAL] / jnp.maximum(edges[:, VISITS], 1) * sign[:, None]
    best = jnp.where(settled, q, -jnp.inf).max(-1)
    ceiling = jnp.where(sign > 0, bounds[1], -bounds[0])
    proved = (settled | ~legal).all(-1) | (best >= ceiling - slack(bounds))
    return proved, jnp.where(settled.any(-1), best, 0.0) * sign


def slack(bounds: Bounds) -> Float[Array, ""]:
    """How near to a bound counts as at it: rounding, even where all returns are tiny."""
    return 1e-5 * jnp.minimum(1.0, bounds[1] - bounds[0])


def best_action(scores: Float[Array, "batch actions"], seed: Seed) -> Int[Array, " batch"]:
    """The best action, exact ties broken at random."""
    actions = jnp.arange(scores.shape[-1])
    tie = uniform(jax.vmap(lambda s: mix(s, actions))(seed))
    top = scores >= scores.max(-1, keepdims=True)
    return jnp.argmax(jnp.where(top, 1.0 + tie, 0.0), axis=-1).astype(jnp.int32)


def _sign(task: Task, state: State) -> Float[Array, " batch"]:
    return jnp.where(jax.vmap(task.player)(state) == 0, 1.0, -1.0)


def _mask(
    logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> Float[Array, "batch actions"]:
    """Logits shifted so that the best legal one is 0, and `FORBIDDEN` elsewhere.

    Legal ones stay well above `FORBIDDEN`, however far apart an evaluator puts them.
    """
    top = jnp.where(legal, logits, -jnp.inf).max(-1, keepdims=True)
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    return jnp.where(legal, jnp.maximum(logits - top, FORBIDDEN / 10), FORBIDDEN)


def _finite(judged: Evaluation, legal: Bool[Array, "batch actions"]) -> Bool[Array, " batch"]:
    return jnp.isfinite(judged.value) & (jnp.isfinite(judged.logits) | ~legal).all(-1)
