"""Search under chance and hidden state: a tree of histories, in which no node keeps a state.

Every simulation starts from a state drawn anew from those the player to move cannot tell apart
(`Task.resample`) and meets chance drawn anew, so nothing can be learned of the true hidden state
or of the true future. What a simulation leaves behind is kept by *histories*: a node is what one
player has done and seen since the root, found by a 64-bit hash, and each player's moves are chosen
from that player's own statistics. For one player this is partially observable Monte Carlo planning
(POMCP, Silver and Veness 2010), for several multiple-observer information-set Monte Carlo tree
search (Cowling, Powley and Whitehouse 2012). With actions alone as the history it is open-loop
search (Perez et al. 2015; Lecarpentier et al. 2018), and with states, where they are seen, a tree
in which different ways to one state share a node (Childs, Brodeur and Kocsis 2008).

What a player may do is part of what it sees, so the same actions are legal whenever a node is met
and the correction of Cowling et al. for actions that are only sometimes available is not needed.

Rows take their simulations in step and a simulation costs what its own path costs, whatever the
number of nodes.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.noise import Seed, as_key, mix
from ...core.objective import Objective
from ...core.rows import as_kinds, narrowed, where_rows
from ...core.task import State, Task
from ..evaluators import Evaluator
from ..faults import IN_REWARD, IN_SUM
from ..playouts import of_player
from ..tree_search.backends.paths import choose
from ..tree_search.limits import Limits
from ..tree_search.models.base import greatest
from ..tree_search.picker import Schedule, within
from ..tree_search.rules import Rule
from ..tree_search.tree import NodeView, log_prior
from . import native
from .information import (
    HISTORIES,
    MISSING,
    STATES,
    Hash,
    find,
    meet,
    origin,
    remember,
    slots,
)
from .judgement import Judgement, judge, unless
from .nodes import LOGIT, TOTAL, VISITS, Histories, Outcome, view_of


class Path(eqx.Module):
    """The moves of one simulation within the tree: who did what where, and what all got for it."""

    nodes: Int[Array, "depth batch"]
    actions: Int[Array, "depth batch"]
    movers: Int[Array, "depth batch"]
    rewards: Float[Array, "depth batch players"]
    length: Int[Array, " batch"]


class Leaf(eqx.Module):
    """Where a simulation left the tree: the state, and the node to make if it is a `new` one."""

    state: State
    open: Bool[Array, " batch"]
    """Whether the episode goes on from here."""
    new: Bool[Array, " batch"]
    key: Hash
    slot: Int[Array, " batch"]


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
    nodes: str = HISTORIES,
) -> Outcome:
    """Search every row of a batch of root states; pure, and to be jitted by the caller.

    `seed` is one uint32 a row (`core.noise.seeds`); a row's answer depends on its own seed, limits
    and on what the player to move has seen of its own state, and on nothing else. A simulation
    makes one node at most, so `capacity` bounds the simulations. Terminal rows stay empty.
    """
    rule = within(rule, greatest(task, objective))
    outcome = _init(task, objective, evaluator, rule, root, limits, seed, capacity, nodes)
    depth = _depth(task, capacity, nodes)
    if native.serves(rule, nodes, capacity, depth):
        return native.simulate_all(
            task, objective, evaluator, rule, root, limits, seed, outcome, nodes, depth
        )

    def going(carry: tuple[Int[Array, ""], Outcome]) -> Bool[Array, ""]:
        return _allowed(limits, carry[1]).any() & (carry[0] <= capacity)

    def simulate(carry: tuple[Int[Array, ""], Outcome]) -> tuple[Int[Array, ""], Outcome]:
        number, outcome = carry
        active, now = _allowed(limits, outcome), mix(seed, 4, number)
        path, leaf, schedule, stuck = _descend(
            task, objective, rule, root, outcome, active, now, nodes
        )
        left = task.traits.horizon - path.length
        judged = judge(task, objective, evaluator, leaf.state, leaf.open, mix(now, 2), left)
        judged = narrowed(judged)
        tree = _insert(task, outcome.nodes, leaf, judged, number)
        values = jnp.where(leaf.open[:, None], judged.values, 0.0)
        tree, faults = _back_up(tree, path, active, values, objective.discount)
        stuck = stuck | (leaf.open & judged.stuck)
        # What was wrong in a part is not wrong in the sum as well.
        found = jnp.where(leaf.open, judged.faults, 0) | (faults & IN_REWARD)
        found = jnp.where(found > 0, found, faults)
        after = Outcome(
            tree,
            schedule,
            outcome.simulations + active,
            outcome.model_steps + path.length + judged.model_steps * leaf.open,
            outcome.evaluations + leaf.open * evaluator.passes,
            outcome.faults | jnp.where(active, found, 0),
            outcome.stuck | stuck,
            outcome.done,
        )
        return number + 1, as_kinds(after, outcome)

    return jax.lax.while_loop(going, simulate, (jnp.int32(1), outcome))[1]


def root_view(task: Task, outcome: Outcome, root: State) -> NodeView:
    """The statistics of each row's root, for reading the answer off."""
    return view_of(outcome.nodes, jnp.zeros_like(outcome.simulations), jax.vmap(task.legal)(root))


def room(task: Task, batch: int, capacity: int, nodes: str = HISTORIES) -> int:
    """How many bytes nodes and paths of a search take, computed before they are allocated."""
    traits = task.traits
    node, move = 3 * traits.actions + 1 + 2 + 2, 3 + traits.players
    moves = _depth(task, capacity, nodes)
    return 4 * batch * ((capacity + 1) * node + slots(capacity) + moves * move)


def _depth(task: Task, capacity: int, nodes: str) -> int:
    """The longest path: histories on it differ, so it is no longer than there are nodes."""
    horizon = task.traits.horizon
    return horizon if nodes == STATES else min(horizon, capacity + 1)


def _init(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    rule: Rule,
    root: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
    nodes: str,
) -> Outcome:
    """Roots alone, judged by a sampled state, never the true one, where a prior or value counts."""
    live = ~jax.vmap(task.terminated)(root)
    batch, actions = live.shape[0], task.traits.actions
    zero = jnp.zeros(batch, jnp.int32)
    legal = jax.vmap(task.legal)(root)
    stuck = live & ~legal.any(-1)
    logits, value, steps, faults = (
        jnp.zeros((batch, actions), jnp.float32),
        jnp.zeros(batch, jnp.float32),
        zero,
        zero,
    )
    asked = evaluator.has_prior or rule.needs_value
    if asked:
        sample = jax.vmap(task.resample)(root, as_key(mix(seed, 3)))
        left = jnp.full(batch, task.traits.horizon)
        judged = narrowed(judge(task, objective, evaluator, sample, live, mix(seed, 0), left))
        stuck = stuck | (live & judged.stuck)
        logits, steps = judged.logits, judged.model_steps * live
        value = of_player(judged.values, jax.vmap(task.player)(root))
        faults = jnp.where(live, judged.faults, 0)
    key = meet(task, origin(task, batch, nodes), root, nodes)
    table = jnp.full((batch, slots(capacity)), MISSING, jnp.int32)
    _, slot = find(table, key[:, None], key, live)
    tree = Histories(
        jnp.zeros((batch, capacity + 1, 3, actions), jnp.float32)
        .at[:, 0, LOGIT]
        .set(log_prior(logits, legal)),
        jnp.zeros((batch, capacity + 1), jnp.float32).at[:, 0].set(value),
        jnp.zeros((batch, capacity + 1, 2), jnp.float32).at[:, 0].set(_span(value, asked)),
        jnp.zeros((batch, capacity + 1, 2), jnp.uint32).at[:, 0].set(key),
        table.at[jnp.arange(batch), slot].set(0),
        asked,
    )
    budget = jnp.minimum(limits.simulations, limits.model_steps)
    schedule = rule.begin(view_of(tree, zero, legal), budget, mix(seed, 1))
    evaluations = live * (evaluator.passes if asked else 0)
    return Outcome(tree, schedule, zero, steps, evaluations, faults, stuck, ~live | stuck)


def _descend(
    task: Task,
    objective: Objective,
    rule: Rule,
    root: State,
    outcome: Outcome,
    active: Bool[Array, " batch"],
    seed: Seed,
    nodes: str,
) -> tuple[Path, Leaf, Schedule, Bool[Array, " batch"]]:
    """Play one episode by the rule, until it is over or comes to a history not met before.

    Also returns the rows that came to a state which is live and has no legal action.
    """
    tree, (batch,) = outcome.nodes, active.shape
    zero, no = jnp.zeros(batch, jnp.int32), jnp.zeros(batch, bool)
    legal = jax.vmap(task.legal)(root)
    forced, schedule = rule.next_lanes(view_of(tree, zero, legal), outcome.schedule, 1)
    schedule = where_rows(active, schedule, outcome.schedule)
    depth = _depth(task, tree.value.shape[1] - 1, nodes)
    blank = jnp.zeros((depth, batch), jnp.int32)
    path = Path(
        blank, blank, blank, jnp.zeros((depth, batch, task.traits.players), jnp.float32), zero
    )
    state = jax.vmap(task.resample)(root, as_key(mix(seed, 0)))
    start = Leaf(state, no, no, tree.keys[:, 0], zero)
    pasts = origin(task, batch, nodes)

    def going_on(carry: tuple) -> Bool[Array, ""]:
        return carry[0].any()

    def move(carry: tuple) -> tuple:
        going, stuck, node, legal, pasts, leaf, path, d = carry
        state, now = leaf.state, mix(seed, 3, d)
        action = choose(rule, view_of(tree, node, legal), mix(now, 0), None)
        action = jnp.where((d == 0) & (forced[:, 0] >= 0), forced[:, 0], action)
        after = jax.vmap(task.advance)(state, action, as_key(now))
        reward = jax.vmap(objective)(state, action, after).astype(path.rewards.dtype)
        path = Path(
            path.nodes.at[d].set(node),
            path.actions.at[d].set(action),
            path.movers.at[d].set(jax.vmap(task.player)(state).astype(jnp.int32)),
            path.rewards.at[d].set(reward),
            path.length + going,
        )
        pasts = remember(pasts, leaf.key, action, path.movers[d], nodes)
        legal = jax.vmap(task.legal)(after)
        live = going & ~jax.vmap(task.terminated)(after)
        trapped = live & ~legal.any(-1)
        live = live & ~trapped
        key = meet(task, pasts, after, nodes)
        node, slot = find(tree.table, tree.keys, key, live)
        onwards = live & (node != MISSING) & (d + 1 < depth)
        after = Leaf(after, live & ~onwards, live & (node == MISSING), key, slot)
        leaf, node = where_rows(going, after, leaf), jnp.maximum(node, 0)
        return as_kinds((onwards, stuck | trapped, node, legal, pasts, leaf, path, d + 1), carry)

    carry = (active, no, zero, legal, pasts, start, path, jnp.int32(0))
    _, stuck, _, _, _, leaf, path, _ = jax.lax.while_loop(going_on, move, carry)
    return path, leaf, schedule, stuck


def _insert(
    task: Task, tree: Histories, leaf: Leaf, judged: Judgement, number: Int[Array, ""]
) -> Histories:
    """Make a node of each new leaf, with the number of the simulation."""
    rows = jnp.arange(leaf.new.shape[0])
    legal = jax.vmap(task.legal)(leaf.state)
    edge = jnp.zeros_like(tree.edges[:, 0]).at[:, LOGIT].set(log_prior(judged.logits, legal))
    value = of_player(judged.values, jax.vmap(task.player)(leaf.state))
    entry = jnp.where(leaf.new, number, tree.table[rows, leaf.slot])

    def put(array: Array, row: Array) -> Array:
        return jax.lax.dynamic_update_index_in_dim(array, row, number, 1)

    return Histories(
        put(tree.edges, edge),
        put(tree.value, value),
        put(tree.span, _span(value, True)),
        put(tree.keys, leaf.key),
        tree.table.at[rows, leaf.slot].set(entry),
        tree.judged,
    )


def _span(value: Float[Array, " batch"], judged: bool) -> Float[Array, "batch 2"]:
    """That of new nodes: their own values, if they were judged."""
    nothing = jnp.full_like(value, jnp.inf)
    return jnp.stack([value, value] if judged else [nothing, -nothing], axis=-1)


def _back_up(
    tree: Histories,
    path: Path,
    active: Bool[Array, " batch"],
    values: Float[Array, "batch players"],
    discount: float | Array,
) -> tuple[Histories, Int[Array, " batch"]]:
    """Give each node on the path its own player's discounted return from there on.

    Also returns the faults of each row: rewards or sums that are not finite.
    """
    rows = jnp.arange(active.shape[0])

    def up(carry: tuple) -> tuple:
        edges, span, gains, faults, d = carry
        on, reward = active & (d < path.length), path.rewards[d]
        gains = jnp.where(on[:, None], reward + discount * gains, gains)
        node, gain = path.nodes[d], of_player(gains, path.movers[d])
        more = jnp.stack([on.astype(jnp.float32), jnp.where(on, gain, 0.0)], axis=-1)
        edges = edges.at[rows, node, VISITS : TOTAL + 1, path.actions[d]].add(more)
        span = span.at[rows, node, 0].min(jnp.where(on, gain, jnp.inf))
        span = span.at[rows, node, 1].max(jnp.where(on, gain, -jnp.inf))
        summed = edges[rows, node, TOTAL].sum(-1) + tree.value[rows, node]
        found = unless(jnp.isfinite(reward).all(-1), IN_REWARD)
        found = found | unless(jnp.isfinite(gains).all(-1) & jnp.isfinite(summed), IN_SUM)
        return as_kinds((edges, span, gains, faults | jnp.where(on, found, 0), d - 1), carry)

    zero = jnp.zeros_like(path.length)
    start = (tree.edges, tree.span, values, zero, path.length.max() - 1)
    edges, span, _, faults, _ = jax.lax.while_loop(lambda carry: carry[-1] >= 0, up, start)
    return eqx.tree_at(lambda t: (t.edges, t.span), tree, (edges, span)), faults


def _allowed(limits: Limits, outcome: Outcome) -> Bool[Array, " batch"]:
    """Rows that may simulate once more; limits are kept as `lanes.Terms.left` keeps them."""
    most = jnp.minimum(limits.simulations, limits.model_steps)
    within = (outcome.model_steps < limits.model_steps) | (outcome.simulations == 0)
    return (outcome.simulations < most) & within & ~outcome.done
