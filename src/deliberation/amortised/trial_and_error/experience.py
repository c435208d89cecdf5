"""Experience for learners: many episodes played at once in a compiled loop, begun anew as they end.

What a learner from trial and error is allowed to see of a task: observations, rewards and ends. All
of it is pure; chance comes from a seed (`core.noise`), which is cheap enough for inner loops.
"""

import hashlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ...core.errors import UnsuitableTaskError
from ...core.noise import Seed, as_key, mix
from ...core.objective import Misere, Objective, cancel, wanted
from ...core.play import advance_rows
from ...core.rows import as_kinds, narrowed, where_rows
from ...core.task import Actions, State, Task, batch_size, stopped
from ...core.uniform import UniformRandom
from ...tasks.bases import ZeroSum

_ROWS, _LONGEST = 16, 256
"""Random episodes, and actions of each, that tell whether two players have opposite aims."""


class Worlds(eqx.Module):
    """A batch of episodes under way: their states, actions taken so far, and returns so far."""

    state: State
    clock: Int[Array, " batch"]
    earned: Float[Array, " batch"]
    worth: Float[Array, " batch"]


class Step(eqx.Module):
    """One transition a row, for the player who moved.

    `sign` is 1 where the same player moves next and -1 where the opponent does, so that
    `reward + gain * value(after)` is the mover's return. `gain` is the worth of what comes after:
    the discount with that sign, and 0 where the episode ended. `finished` holds the return of
    player 0 where an episode ended (`over`), and means nothing elsewhere.
    """

    after: State
    reward: Float[Array, " batch"]
    gain: Float[Array, " batch"]
    over: Bool[Array, " batch"]
    finished: Float[Array, " batch"]


def empty_worlds(task: Task, batch: int) -> Worlds:
    """A place for a batch of episodes, which `restart` fills; nothing is compiled for it."""

    def blank(x: jax.ShapeDtypeStruct) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            words = jax.eval_shape(jax.random.key_data, x)
            return jax.random.wrap_key_data(jax.device_put(np.zeros(words.shape, words.dtype)))
        return jax.device_put(np.zeros(x.shape, x.dtype))

    form = jax.eval_shape(lambda: restart(first_states(task, batch, jnp.uint32(0))))
    return jax.tree.map(blank, form)


def restart(starts: State) -> Worlds:
    """Episodes that all begin, in the states given."""
    batch = batch_size(starts)
    return Worlds(starts, jnp.zeros(batch, jnp.int32), jnp.zeros(batch), jnp.ones(batch))


def first_states(task: Task, batch: int, seed: Seed) -> State:
    """A batch of first states drawn from one seed."""
    return jax.vmap(task.init)(as_key(mix(seed, jnp.arange(batch))))


def advance(
    task: Task,
    objective: Objective,
    worlds: Worlds,
    action: Actions,
    seed: Seed,
    *,
    starts: State,
    discount: float = 1.0,
    timeouts: bool = False,
) -> tuple[Worlds, Step]:
    """Take one action in every episode; those that end go on from `starts`, one a row.

    `discount` multiplies the objective's own. Where an episode is cut (see `stops`), what would
    have come after still counts (Pardo et al. 2018), as it must where the time left cannot be
    observed.
    """
    keys = as_key(mix(seed, jnp.arange(worlds.clock.shape[0])))
    after = jax.vmap(task.advance)(worlds.state, action, keys)
    clock = worlds.clock + 1
    over, cut = stops(task, after, clock, timeouts=timeouts)
    mover, follower = jax.vmap(task.player)(worlds.state), jax.vmap(task.player)(after)
    rewards = narrowed(jax.vmap(objective)(worlds.state, action, after))
    gain = jnp.where(mover == follower, 1.0, -1.0) * jnp.where(over & ~cut, 0.0, 1.0)
    earned = worlds.earned + worlds.worth * rewards[:, 0]
    step = Step(
        after=after,
        reward=jnp.take_along_axis(rewards, mover[:, None], axis=1)[:, 0],
        gain=narrowed(gain * (discount * objective.discount)),
        over=over,
        finished=earned,
    )
    after = where_rows(over, starts, after)
    worth = jnp.where(over, 1.0, worlds.worth * objective.discount)
    return Worlds(after, jnp.where(over, 0, clock), jnp.where(over, 0.0, earned), worth), step


def stops(
    task: Task, after: State, clock: Int[Array, " batch"], *, timeouts: bool = False
) -> tuple[Bool[Array, " batch"], Bool[Array, " batch"]]:
    """Whether episodes stop in some states, and whether they are only cut there.

    `clock` counts the actions taken to get there. A task says itself where it is cut
    (`Task.truncated`), and one that goes on for ever (`traits.continuing`) is cut at its horizon.
    With `timeouts` any end at `traits.horizon` is taken for a cut too: for tasks that say neither.
    """
    late = clock >= task.traits.horizon
    stopping, cut = jax.vmap(lambda s: (stopped(task, s), task.only_cut(s)))(after)
    ended = stopping & ~cut
    if task.traits.continuing:
        cut = cut | (late & ~ended)
    return ended | cut, cut | (ended & late if timeouts else False)


def check_opposed(task: Task, name: str, objective: Objective | None = None) -> None:
    """Refuse players who are not one alone, or two of whom one wins what the other loses.

    The values that are learned count what comes after an opponent's move with the opposite sign. Of
    two players some random episodes are played under the objective, unless it is zero-sum by its
    class: no rewards of one action may differ from zero in their sum.
    """
    players = task.traits.players
    if players > 2:
        raise UnsuitableTaskError(
            f"{task!r} has {players} players, and {name} learns by self-play of one "
            "player, or of two whose gains are each other's losses. Give the others fixed policies "
            "inside of the task, so that one player is left."
        )
    scored = wanted(task, objective)
    plain = scored.of if isinstance(scored, Misere) else scored
    if players == 1 or isinstance(plain, ZeroSum):
        return
    rewards = np.asarray(_random_rewards(task, scored, min(task.traits.horizon, _LONGEST)))
    # What is not finite is refused where it is met, as such.
    if not (apart := ~cancel(rewards) & np.isfinite(rewards).all(-1)).any():
        return
    raise UnsuitableTaskError(
        f"{task!r} pays its two players {rewards[apart][0].tolist()} for one action, which do not "
        f"sum to zero under {scored!r}, and {name} learns by self-play of opposite aims. Give the "
        "other player a fixed policy inside of the task, so that one player is left."
    )


@eqx.filter_jit
def _random_rewards(
    task: Task, objective: Objective, steps: int
) -> Float[Array, "steps rows players"]:
    """What the actions of a few random episodes pay each player; nothing once they stopped."""
    first, play = jax.random.split(jax.random.key(0))

    def step(state: State, key: Key[Array, ""]) -> tuple[State, Array]:
        keys = jax.random.split(key, _ROWS)
        action = UniformRandom(task).decide(state, key=keys)[0].action
        after, reward = advance_rows(task, objective, state, action, keys)
        return as_kinds(after, state), reward

    starts = jax.vmap(task.init)(jax.random.split(first, _ROWS))
    return jax.lax.scan(step, starts, jax.random.split(play, steps))[1]


class Score(eqx.Module):
    """The mean return of the episodes finished last, and how many have finished in all."""

    mean: Float[Array, ""]
    episodes: Int[Array, ""]

    def after(self, finished: Float[Array, "..."], over: Bool[Array, "..."]) -> "Score":
        """With the episodes that ended just now; as it was where none has."""
        count = over.sum()
        mean = jnp.where(over, finished, 0.0).sum() / jnp.maximum(count, 1)
        return as_kinds(Score(jnp.where(count > 0, mean, self.mean), self.episodes + count), self)


def seed_of(key: Key[Array, ""]) -> UInt32[Array, ""]:
    """A seed from a key, on the host."""
    words = np.asarray(jax.random.key_data(key)).tobytes()
    return jax.device_put(np.frombuffer(hashlib.sha256(words).digest()[:4], np.uint32)[0])


def fresh_score() -> Score:
    """Before any episode has ended."""
    return Score(jax.device_put(np.float32(0)), jax.device_put(np.int32(0)))
