"""Self-play: positions from random openings on, each searched, as examples to learn from."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.imitation.data import Dataset
from ...core.ledger import Ledger
from ...core.noise import as_key, mix, seeds, uniform
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, stopped
from ...direct.tree_search.decider import TreeSearch, plan
from ...direct.tree_search.limits import Limits


class Games(eqx.Module):
    """What self-play gave: examples, the states to go on from, and the cost of each lane.

    `sound` is false if any prior, value or reward was NaN or infinite, or a state left no move.
    """

    examples: Dataset
    lanes: State
    spent: Ledger
    sound: Bool[Array, ""]


class Moment(eqx.Module):
    """One searched position of each lane; `gain` and `sign` lead on to the next one's value."""

    observations: Array
    legal: Bool[Array, "*plies lanes actions"]
    weights: Float[Array, "*plies lanes actions"]
    value: Float[Array, "*plies lanes"]
    gain: Float[Array, "*plies lanes"]
    sign: Float[Array, "*plies lanes"]
    proved: Bool[Array, "*plies lanes"]
    over: Bool[Array, "*plies lanes"]
    fresh: Bool[Array, "*plies lanes"]
    model_steps: Int[Array, "*plies lanes"]
    evaluations: Int[Array, "*plies lanes"]
    sound: Bool[Array, "*plies lanes"]


@eqx.filter_jit
def self_play(
    planner: TreeSearch,
    lanes: State,
    openings: State,
    key: Key[Array, ""],
    simulations: Int[Array, ""],
    restart: Float[Array, ""],
    trace: Float[Array, ""],
    *,
    capacity: int,
    objective: Objective | None = None,
) -> Games:
    """Play every lane on by as many plies as `openings` has, searching each position.

    Actions are the search's own (Gumbel search draws its noise anew at each move). A lane whose
    game is over or cut (`Task.truncated`), and any other with probability `restart`, goes on from
    an opening instead. Values are traced back over what followed: G = (1 - trace) v + trace (r +-
    discount G'), except where the search proved them; where a lane goes on elsewhere although the
    game is not over, nothing that followed is known, and the value is the search's. Play is for the
    task's own objective unless another is given.
    """
    objective = planner.task.objective if objective is None else objective
    batch = jax.tree.leaves(lanes)[0].shape[0]
    plies = jax.tree.leaves(openings)[0].shape[0]
    step = partial(_ply, planner, objective, simulations, restart, capacity)
    lanes, moments = jax.lax.scan(step, lanes, (openings, jax.random.split(key, (plies, batch))))
    value = _trace(moments, objective.discount, trace)
    each = planner.evaluator.flops / max(1, planner.evaluator.passes)
    evaluations = moments.evaluations.sum(0)
    spent = Ledger(
        model_steps=moments.model_steps.sum(0),
        network_evaluations=evaluations,
        flops=evaluations * each,
    )
    ones = jnp.ones((plies, batch, 2))
    columns = (moments.observations, moments.legal, moments.weights, value, ones)
    flat = [x.reshape(plies * batch, *x.shape[2:]) for x in columns]
    return Games(Dataset(*flat), lanes, spent, moments.sound.all())


def _ply(
    planner: TreeSearch,
    objective: Objective,
    simulations: Int[Array, ""],
    restart: Float[Array, ""],
    capacity: int,
    lanes: State,
    given: tuple[State, Key[Array, " lanes"]],
) -> tuple[State, Moment]:
    openings, keys = given
    task = planner.task
    seed = seeds(keys)
    fresh = jax.vmap(partial(stopped, task))(lanes) | (uniform(mix(seed, 1)) < restart)
    state = where_rows(fresh, openings, lanes)
    everyone = jnp.broadcast_to(simulations, seed.shape).astype(jnp.int32)
    limits = Limits(everyone, jnp.full_like(everyone, jnp.iinfo(jnp.int32).max))
    decision, outcome = plan(planner, objective, state, limits, mix(seed, 2), capacity)
    legal = jax.vmap(task.legal)(state)
    action = decision.action
    after = jax.vmap(task.advance)(state, action, as_key(mix(seed, 3)))
    mover, next_mover = jax.vmap(task.player)(state), jax.vmap(task.player)(after)
    reward = jax.vmap(objective)(state, action, after)
    return after, Moment(
        jax.vmap(task.observe)(state).astype(jnp.float32),
        legal,
        decision.weights,
        decision.value,
        jnp.take_along_axis(reward, mover[:, None], 1)[:, 0],
        jnp.where(mover == next_mover, 1.0, -1.0),
        outcome.done,
        jax.vmap(task.terminated)(after),
        fresh,
        outcome.model_steps,
        outcome.evaluations,
        outcome.sound & ~outcome.stuck,
    )


def _trace(
    moments: Moment, discount: float, trace: Float[Array, ""]
) -> Float[Array, "plies lanes"]:
    """Blend each position's searched value with what followed it in its own game."""

    def back(carry: tuple, now: Moment) -> tuple:
        later, follows = carry
        known = now.over | follows
        ahead = now.gain + jnp.where(now.over, 0.0, discount * now.sign * later)
        blend = (1 - trace) * now.value + trace * ahead
        value = jnp.where(known & ~now.proved, blend, now.value)
        return (value, ~now.fresh), value

    last = jnp.zeros(moments.value.shape[1:])
    _, value = jax.lax.scan(back, (last, last > 0), moments, reverse=True)
    return value
