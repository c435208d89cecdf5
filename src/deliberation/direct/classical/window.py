"""The walk of alpha-beta as a state machine: one move of every row at a time.

All returns in here are player 0's. A level of the stack holds one expanded node: its children, who
moves in it, the window (`low`, `high`) in which its value can still matter, and the best so far.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.noise import mix
from ...core.objective import Objective, cancel
from ...core.rows import beside
from ...core.task import State, Task
from ..evaluators import Evaluator, ask

Rows = Int[Array, " batch"]
Flags = Bool[Array, " batch"]
Reals = Float[Array, " batch"]


class World(eqx.Module):
    """What is searched: rules, aim, the judge of what is not looked into, and what it may prune."""

    task: Task
    objective: Objective
    evaluator: Evaluator
    margin: Float[Array, ""]


class Level(eqx.Module):
    """One expanded node, or a stack of them on the second axis."""

    states: State
    reward: Float[Array, "*stack actions"]
    scores: Float[Array, "*stack actions"]
    """What each child is worth by what was found, or by the judge until then."""
    todo: Bool[Array, "*stack actions"]
    sign: Float[Array, "*stack"]
    low: Float[Array, "*stack"]
    high: Float[Array, "*stack"]
    best: Float[Array, "*stack"]
    child: Int[Array, "*stack"]


class Walk(eqx.Module):
    """Where the search of each row is, what it has spent, and the answer of its last look."""

    root: State
    stack: Level
    top: Rows
    limit: Rows
    choice: Rows
    short: Flags
    """Whether this look cut a line short, at the depth limit or by pruning."""
    pruned: Flags
    over: Flags
    busy: Flags
    sound: Flags
    opposed: Flags
    """Whether all rewards met were opposite for two players."""
    stuck: Flags
    """Whether a state was met that is not terminal and has no legal action."""
    expansions: Rows
    steps: Rows
    evaluations: Rows
    most: tuple[Rows, Rows]
    seed: UInt32[Array, " batch"]
    answer: Rows
    value: Reals
    looked: Rows
    exact: Flags
    scores: Float[Array, "batch actions"]


class Asks(eqx.Module):
    """Which rows want a node expanded: the node, the level it goes to, and its window."""

    wanted: Flags
    state: State
    level: Rows
    low: Reals
    high: Reals


def init(
    world: World,
    state: State,
    live: Flags,
    depth: int,
    most: tuple[Rows, Rows],
    seed: UInt32[Array, " batch"],
) -> Walk:
    """Nothing looked at yet; rows that are over, or may not spend anything, are at rest."""
    batch, actions = live.shape[0], world.task.traits.actions
    zero, flag = jnp.zeros(batch, jnp.int32), jnp.zeros(batch, bool)
    blank, wide = jnp.zeros((batch, depth)), jnp.zeros((batch, depth, actions))

    def room(x: Array) -> Array:
        return jnp.zeros((batch, depth, actions, *x.shape[1:]), x.dtype)

    stack = Level(
        jax.tree.map(room, state), wide, wide, wide > 0, blank, blank, blank, blank,
        jnp.zeros((batch, depth), jnp.int32),
    )  # fmt: skip
    return Walk(
        root=state, stack=stack, top=zero - 1, limit=zero + 1, choice=zero - 1, short=flag,
        pruned=flag, over=flag, busy=live & (most[0] > 0), sound=flag | True, opposed=flag | True,
        stuck=flag, expansions=zero, steps=zero, evaluations=zero, most=most, seed=seed,
        answer=zero - 1, value=jnp.zeros(batch), looked=zero, exact=flag,
        scores=jnp.zeros((batch, actions)),
    )  # fmt: skip


def step(walk: Walk, world: World) -> tuple[Walk, Asks]:
    """Choose the next child to look into, or go back up with what was found."""
    here = _at(walk.stack, walk.top)
    started = walk.top >= 0
    settled = _beyond(here.sign, here.best, here.low, here.high) | ~here.todo.any(-1)
    down = walk.busy & started & ~settled
    up = walk.busy & started & settled
    worth = jnp.where(here.todo, here.sign[:, None] * here.scores, -jnp.inf)
    child = jnp.argmax(worth, axis=-1).astype(jnp.int32)
    asks = _asks(walk, world, here, child, down)
    todo = here.todo & ~(down[:, None] & _is(child, here.todo.shape[1]))
    chosen = eqx.tree_at(
        lambda s: (s.todo, s.child), here, (todo, jnp.where(down, child, here.child))
    )
    stack = _put(walk.stack, walk.top, chosen, down)
    walk = eqx.tree_at(lambda w: w.stack, walk, stack)
    return _raised(walk, world, here.best, up), asks


def _asks(walk: Walk, world: World, here: Level, child: Rows, down: Flags) -> Asks:
    """The chosen child in its window, or the root of a new look in the widest."""
    first = walk.busy & (walk.top < 0)
    low, high = _bounds(world)
    discount = jnp.float32(world.objective.discount)
    alpha, beta = _window(here)
    reward = _pick(here.reward, child)

    def within(edge: Reals, widest: Array) -> Reals:
        inner = (edge - reward) / jnp.where(discount > 0, discount, 1.0)
        return jnp.where(first | (discount <= 0), widest, inner)

    state = jax.tree.map(
        lambda root, kids: jnp.where(beside(first, root), root, _pick(kids, child)),
        walk.root,
        here.states,
    )
    inner = within(alpha, low)
    # Two edges that rounding made one would leave open which of them a value had reached.
    outer = jnp.maximum(within(beta, high), jnp.nextafter(inner, jnp.inf))
    return Asks(
        wanted=down | first,
        state=state,
        level=jnp.where(first, 0, walk.top + 1),
        # No return is beyond the bounds, so a node that reaches one is done.
        low=jnp.maximum(inner, low),
        high=jnp.minimum(outer, high),
    )


def _raised(walk: Walk, world: World, found: Reals, up: Flags) -> Walk:
    """Rows that are done with a node hand its value to the node above, or end their look."""
    above = walk.top - 1
    parent, own = _at(walk.stack, above), _at(walk.stack, walk.top)
    worth = _pick(parent.reward, parent.child) + world.objective.discount * found
    # What a cut left open is a bound on the value, not the value: it must not pass, by rounding,
    # for one on the other side of the edge at which the line was cut.
    (alpha, beta), (low, high) = _window(parent), _bounds(world)
    worth = jnp.where((found <= own.low) & (own.low > low), jnp.minimum(worth, alpha), worth)
    worth = jnp.where((found >= own.high) & (own.high < high), jnp.maximum(worth, beta), worth)
    better = parent.sign * worth > parent.sign * parent.best
    inner = up & (above >= 0)
    scores = jnp.where(
        _is(parent.child, parent.scores.shape[1]) & inner[:, None], worth[:, None], parent.scores
    )
    best = jnp.where(better, worth, parent.best)
    parent = eqx.tree_at(lambda s: (s.scores, s.best), parent, (scores, best))
    stack = _put(walk.stack, above, parent, inner)
    choice = jnp.where(inner & better & (above == 0), parent.child, walk.choice)
    top = jnp.where(up, above, walk.top)
    over = up & (above < 0)
    return eqx.tree_at(
        lambda w: (w.stack, w.choice, w.top, w.over), walk, (stack, choice, top, over)
    )


def expand(walk: Walk, world: World, asks: Asks) -> Walk:
    """Make and judge all children of the nodes asked for; a row that cannot pay stops."""
    task = world.task
    legal = jax.vmap(task.legal)(asks.state)
    count = legal.sum(-1).astype(jnp.int32)
    paid = (walk.expansions < walk.most[0]) & (count <= walk.most[1] - walk.steps)
    made = asks.wanted & paid
    after, reward, opposed, terminal, dead = _children(world, asks.state)
    live = made[:, None] & legal & ~terminal
    left = world.task.traits.horizon - 1 - asks.level
    seed = mix(walk.seed, walk.expansions)
    value, played, lost = _judged(world, after, live, seed, left)
    stuck = (live & (dead | lost)).any(-1)
    sign = jnp.where(jax.vmap(task.player)(asks.state) == 0, 1.0, -1.0)
    worth = reward + world.objective.discount * jnp.where(live, value, 0.0)
    fine = jnp.isfinite(jnp.where(legal, worth, 0.0)).all(-1)
    mine = jnp.where(legal, sign[:, None] * worth, -jnp.inf)
    keep = ~(mine < mine.max(-1, keepdims=True) - world.margin)
    frontier = (asks.level + 1 >= walk.limit)[:, None]
    certain = sign * jnp.where(legal & terminal, mine, -jnp.inf).max(-1)
    # A certain way to the edge of the window makes the other lines irrelevant: what the judge
    # thinks of these is not preferred to it.
    matters = ~_beyond(sign, certain, asks.low, asks.high)
    counted = legal & (terminal | (frontier & matters[:, None]))
    best = sign * jnp.where(counted, mine, -jnp.inf).max(-1)
    todo = live & ~frontier & keep
    short = (live & frontier).any(-1) & matters
    pruned = (live & ~frontier & ~keep).any(-1) & matters
    node = Level(after, reward, worth, todo, sign, asks.low, asks.high, best, walk.choice * 0)
    root = made & (asks.level == 0)
    node = _in_order(node, walk, root)
    first = jnp.argmax(jnp.where(counted, mine, -jnp.inf), axis=-1).astype(jnp.int32)
    first = jnp.where(counted.any(-1), first, -1)
    return eqx.tree_at(
        lambda w: (
            w.stack, w.top, w.choice, w.short, w.pruned, w.busy, w.sound, w.opposed, w.stuck,
            w.expansions, w.steps, w.evaluations,
        ),
        walk,
        (
            _put(walk.stack, asks.level, node, made),
            jnp.where(made, asks.level, walk.top),
            jnp.where(root, first, walk.choice),
            walk.short | (made & short),
            walk.pruned | (made & pruned),
            walk.busy & ~(asks.wanted & ~(paid & fine & ~stuck)),
            walk.sound & ~(made & ~fine),
            walk.opposed & ~(made & (legal & ~opposed).any(-1)),
            walk.stuck | stuck,
            walk.expansions + made,
            walk.steps + jnp.where(made, count + played, 0),
            walk.evaluations + live.sum(-1).astype(jnp.int32) * world.evaluator.passes,
        ),
    )  # fmt: skip


def _in_order(node: Level, walk: Walk, root: Flags) -> Level:
    """The root's children by what the look before found, where there was one."""
    before = (root & (walk.looked > 0))[:, None] & node.todo
    return eqx.tree_at(lambda n: n.scores, node, jnp.where(before, walk.scores, node.scores))


def ended(walk: Walk, depth: int) -> Walk:
    """Keep the answer of looks that are over, and look deeper where something was cut short."""
    done = walk.over & walk.busy
    top = _at(walk.stack, jnp.zeros_like(walk.top))
    deeper = walk.short & (walk.limit < depth)
    kept = (
        jnp.where(done, walk.choice, walk.answer),
        jnp.where(done, top.best, walk.value),
        jnp.where(done, walk.limit, walk.looked),
        jnp.where(done, ~walk.short & ~walk.pruned, walk.exact),
        jnp.where(done[:, None], top.scores, walk.scores),
        walk.busy & (~done | deeper),
        jnp.where(done, walk.limit + 1, walk.limit),
        walk.short & ~done,
        walk.pruned & ~done,
        walk.over & False,
    )
    return eqx.tree_at(
        lambda w: (
            w.answer, w.value, w.looked, w.exact, w.scores, w.busy, w.limit, w.short, w.pruned,
            w.over,
        ),
        walk,
        kept,
    )  # fmt: skip


def _children(world: World, state: State) -> tuple[State, Array, Array, Array, Array]:
    """By action: the child, player 0's reward, whether the other's is opposite, the end, and
    whether nothing can be done."""

    def act(s: State, action: Int[Array, ""]):
        after = world.task.advance(s, action, jax.random.key(0))
        reward = jnp.asarray(world.objective(s, action, after)).astype(jnp.float32)
        opposed = jnp.bool_(True) if reward.shape[0] == 1 else cancel(reward)
        dead = ~world.task.legal(after).any()
        return after, reward[0], opposed, world.task.terminated(after), dead

    actions = jnp.arange(world.task.traits.actions, dtype=jnp.int32)
    return jax.vmap(jax.vmap(act, (None, 0)), (0, None))(state, actions)


def _judged(
    world: World, after: State, live: Bool[Array, "batch actions"], seed: UInt32[Array, " batch"],
    left: Rows,
) -> tuple[Float[Array, "batch actions"], Rows, Bool[Array, "batch actions"]]:  # fmt: skip
    """The judge's values of all children, for player 0; its model steps for each row; and whether
    it came to a dead end. From them on, so many steps are `left`."""
    batch, actions = live.shape
    flat = jax.tree.map(lambda x: x.reshape(batch * actions, *x.shape[2:]), after)
    seeds = mix(seed[:, None], jnp.arange(actions)).ravel()
    left = jnp.repeat(left, actions)
    found = ask(world.evaluator, world.task, world.objective, flat, live.ravel(), seeds, left)
    mover = jnp.where(jax.vmap(world.task.player)(flat) == 0, 1.0, -1.0)
    played = jnp.where(live, found.model_steps.reshape(live.shape), 0).sum(-1)
    stuck = jnp.zeros_like(live) if found.stuck is None else found.stuck.reshape(live.shape)
    return (mover * found.value).reshape(live.shape), played.astype(jnp.int32), stuck


def _bounds(world: World) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The least and the greatest return of player 0 that any state leaves."""
    low, high = world.objective.bounds
    return jnp.float32(low), jnp.float32(high)


def _window(node: Level) -> tuple[Reals, Reals]:
    """In which the value of the next child can still matter, given the best one so far."""
    alpha = jnp.where(node.sign > 0, jnp.maximum(node.low, node.best), node.low)
    beta = jnp.where(node.sign > 0, node.high, jnp.minimum(node.high, node.best))
    return alpha, beta


def _beyond(sign: Reals, best: Reals, low: Reals, high: Reals) -> Flags:
    """Whether the mover has found enough: the other would not let play come here."""
    return jnp.where(sign > 0, best >= high, best <= low)


def _is(child: Rows, actions: int) -> Bool[Array, "batch actions"]:
    return jnp.arange(actions) == child[:, None]


def _pick(x: Array, child: Rows) -> Array:
    return x[jnp.arange(x.shape[0]), jnp.maximum(child, 0)]


def _at(stack: Level, level: Rows) -> Level:
    return jax.tree.map(lambda x: _pick(x, level), stack)


def _put(stack: Level, level: Rows, node: Level, where: Flags) -> Level:
    """The stack with a node at a level of those rows."""

    def put(x: Array, new: Array) -> Array:
        rows, at = jnp.arange(x.shape[0]), jnp.maximum(level, 0)
        return x.at[rows, at].set(jnp.where(beside(where, new), new, x[rows, at]))

    return jax.tree.map(put, stack, node)
