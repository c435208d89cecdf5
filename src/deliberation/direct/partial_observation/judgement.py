"""What an evaluator's answer means for every player, however many there are."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.noise import Seed, as_key, mix, pick_uniform, uniform
from ...core.objective import Objective
from ...core.task import State, Task
from ..evaluators import Evaluator, RandomRollouts, check_answer
from ..faults import IN_PRIOR, IN_REWARD, IN_VALUE


class Judgement(eqx.Module):
    """What an evaluator says of states: a prior for the mover, and a value for every player.

    `faults` says what was NaN or infinite (`faults.FAULT_OF`), `stuck` where a playout came to a
    live state without a legal action.
    """

    logits: Float[Array, "batch actions"]
    values: Float[Array, "batch players"]
    model_steps: Int[Array, " batch"]
    faults: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]


def judge(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
) -> Judgement:
    """Ask an evaluator, and work out what its answer means for every player.

    Playouts give each player its own return, whatever the number of players. Another evaluator
    speaks for the player to move; of two, the other one gets the opposite.
    """
    legal, mover = jax.vmap(task.legal)(state), jax.vmap(task.player)(state)
    if isinstance(evaluator, RandomRollouts):
        return _playouts(task, objective, state, live, seed, evaluator.count)
    judged = evaluator(task, objective, state, live, seed)
    check_answer(evaluator, judged, *legal.shape)
    mine = jnp.arange(task.traits.players) == mover[:, None]
    values = jnp.where(mine, judged.value[:, None], -judged.value[:, None])
    prior = (jnp.isfinite(judged.logits) | ~legal).all(-1)
    faults = unless(prior, IN_PRIOR) | unless(jnp.isfinite(judged.value), IN_VALUE)
    return Judgement(judged.logits, values, judged.model_steps, faults, jnp.zeros_like(live))


def _playouts(
    task: Task,
    objective: Objective,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
    count: int,
) -> Judgement:
    """Play live rows at random to their end, `count` times; the mean return of every player."""
    batch, players = live.shape[0], task.traits.players

    def going(carry: tuple) -> Bool[Array, ""]:
        return carry[1].any()

    def ply(now: Seed, carry: tuple) -> tuple:
        state, live, stuck, total, worth, plies = carry
        now = mix(now, plies)
        legal = jax.vmap(task.legal)(state)
        trapped = live & ~legal.any(-1)
        live = live & ~trapped
        # Apart from the words of `as_key(now)`, by which the task may draw.
        action = pick_uniform(legal, uniform(mix(now, 0)))
        after = jax.vmap(task.advance)(state, action, as_key(now))
        reward = jax.vmap(objective)(state, action, after)
        total = total + jnp.where(live[:, None], worth * reward, 0.0)
        going = live & ~jax.vmap(task.terminated)(after)
        return after, going, stuck | trapped, total, worth * objective.discount, plies + live

    def once(i: Int[Array, ""] | int, carry: tuple) -> tuple:
        stuck, total, steps = carry
        nothing = (jnp.ones(()), jnp.zeros(batch, jnp.int32))
        start = (state, live, stuck, total, *nothing)
        end = jax.lax.while_loop(going, lambda c: ply(mix(seed, i), c), start)
        return end[2], end[3], steps + end[5]

    start = (jnp.zeros(batch, bool), jnp.zeros((batch, players)), jnp.zeros(batch, jnp.int32))
    # A loop, so that many playouts compile no more than one.
    stuck, total, steps = jax.lax.fori_loop(0, count, once, start)
    values, logits = total / count, jnp.zeros((batch, task.traits.actions))
    faults = unless(jnp.isfinite(values).all(-1), IN_REWARD)
    return Judgement(logits, values, steps, faults, stuck)


def unless(sound: Bool[Array, " batch"], fault: int) -> Int[Array, " batch"]:
    """The bit of a fault where something is not sound."""
    return jnp.where(sound, 0, fault)


def share(values: Float[Array, "batch players"], player: Int[Array, " batch"]) -> Array:
    """One player's part in each row."""
    return jnp.take_along_axis(values, player[:, None].astype(jnp.int32), 1)[:, 0]
