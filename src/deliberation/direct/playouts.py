"""Playouts: play on from given states by a policy to the end, and add up what every player gets."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..core.noise import Seed, as_key, mix, pick_uniform, uniform
from ..core.objective import Objective
from ..core.rows import as_kinds
from ..core.task import Actions, State, Task

Policy = Callable[[State, Bool[Array, " batch"], Seed], tuple[Actions, PyTree]]
"""From states, which of them are live, and a seed each: actions, and amounts (a tree of one number
a row) that are summed over the steps that a row takes."""


class Playout(eqx.Module):
    """How play went on from each state of a batch.

    `returns` are discounted from the first state on. `stuck` says where play came to a live state
    without a legal action and stopped there. `state` is where play stopped, and means something
    where it is `live` still: what follows there is worth `worth` (the discount to the power of the
    steps). `notes` are the sums of what the policy noted.
    """

    returns: Float[Array, "batch players"]
    steps: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]
    state: State
    live: Bool[Array, " batch"]
    worth: Float[Array, " batch"]
    notes: PyTree


def play(
    task: Task,
    objective: Objective,
    policy: Policy,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
    *,
    most: int | None = None,
    left: Int[Array, " batch"] | None = None,
) -> Playout:
    """Play the live rows on by a policy, to the end or by at most so many steps; pure.

    No row takes more steps than the task's horizon, so a task that never ends does not hang, nor
    more than are `left` to it: its episode is over then.
    """
    longest = task.traits.horizon if most is None else min(most, task.traits.horizon)

    def going(carry: tuple) -> Bool[Array, ""]:
        return carry[2].live.any() & (carry[0] < longest)

    def step(carry: tuple) -> tuple:
        number, returns, now = carry
        stuck = now.live & ~jax.vmap(task.legal)(now.state).any(-1)
        live = now.live & ~stuck
        fresh = mix(seed, now.steps)
        action, noted = policy(now.state, live, fresh)
        after = jax.vmap(task.advance)(now.state, action, as_key(fresh))
        # Players first: rows lie side by side, which makes a playout of many rows faster.
        reward = jax.vmap(objective, out_axes=1)(now.state, action, after)
        returns = as_kinds(returns + jnp.where(live, now.worth * reward, 0.0), returns)
        steps = now.steps + live
        over = jax.vmap(task.terminated)(after)
        later = Playout(
            now.returns,
            steps,
            now.stuck | stuck,
            after,
            live & ~over if left is None else live & ~over & (steps < left),
            now.worth * objective.discount,
            jax.tree.map(lambda a, b: a + jnp.where(live, b, 0), now.notes, noted),
        )
        return number + 1, returns, as_kinds(later, now)

    batch = live.shape[0]
    noted = jax.eval_shape(lambda: policy(state, live, seed)[1])
    begun = Playout(
        jnp.zeros((batch, task.traits.players), jnp.float32),
        jnp.zeros(batch, jnp.int32),
        jnp.zeros(batch, bool),
        state,
        live if left is None else live & (left > 0),
        jnp.ones(batch, jnp.float32),
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), noted),
    )
    start = (jnp.int32(0), begun.returns.T, begun)
    _, returns, end = jax.lax.while_loop(going, step, start)
    return eqx.tree_at(lambda e: e.returns, end, returns.T)


class RandomReturns(eqx.Module):
    """What random play is worth: mean returns, the steps of all playouts, and any dead end."""

    returns: Float[Array, "batch players"]
    steps: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]


def random_playouts(
    task: Task,
    objective: Objective,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
    count: int = 1,
    left: Int[Array, " batch"] | None = None,
) -> RandomReturns:
    """Play live rows uniformly at random to their end, `count` times; pure.

    No row takes more steps than are `left` to it (None: than an episode has).
    """

    def policy(state: State, live: Bool[Array, " batch"], seed: Seed) -> tuple[Actions, None]:
        return random_actions(task, state, seed), None

    def once(number: Int[Array, ""] | int, sums: RandomReturns) -> RandomReturns:
        end = play(task, objective, policy, state, live, mix(seed, number), left=left)
        total = RandomReturns(
            sums.returns + end.returns, sums.steps + end.steps, sums.stuck | end.stuck
        )
        return as_kinds(total, sums)

    batch = live.shape[0]
    nothing = RandomReturns(
        jnp.zeros((batch, task.traits.players), jnp.float32),
        jnp.zeros(batch, jnp.int32),
        jnp.zeros(batch, bool),
    )
    # A loop, so that many playouts compile no more than one.
    total = once(0, nothing) if count == 1 else jax.lax.fori_loop(0, count, once, nothing)
    return RandomReturns(total.returns / count, total.steps, total.stuck)


def of_player(
    values: Float[Array, "batch players"], player: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """One player's part in each row."""
    return jnp.take_along_axis(values, player[:, None].astype(jnp.int32), 1)[:, 0]


def random_actions(task: Task, state: State, seed: Seed) -> Actions:
    """A legal action for each state, all equally likely."""
    traits = task.traits
    if traits.discrete:
        return pick_uniform(jax.vmap(task.legal)(state), uniform(seed))
    # Apart from the words of `as_key(seed)`, by which the task may draw.
    return uniform_box(traits.low, traits.high, traits.shape, mix(seed, 2))


def uniform_box(
    low: float, high: float, shape: tuple[int, ...], seed: Seed
) -> Float[Array, "*batch_and_shape"]:
    """Arrays of a shape from `low` to `high`, one for each seed."""
    places = jnp.arange(math.prod(shape)).reshape(shape)
    u = uniform(mix(jnp.expand_dims(seed, tuple(range(seed.ndim, seed.ndim + len(shape)))), places))
    # Rounding may carry a number past its bound.
    return jnp.clip(low + (high - low) * u, low, high)
