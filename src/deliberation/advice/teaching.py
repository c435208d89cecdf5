"""Lessons from a search: positions of its own play and of worse play, and what it answered there.

Lanes of episodes go on by the search's actions with some drawn at random instead, from none to all
of them, so that a student also learns what to do after a slip (as DART, Laskey et al. 2017).
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..amortised import Dataset
from ..core.clock import now
from ..core.decider import Decider
from ..core.rows import where_rows
from ..core.task import State, Task, stopped
from .dials import Making

LANES, EXAMPLES = 32, 3000
NOISE = (0.0, 0.25, 0.5, 1.0)
"""Chance of a random action; lanes take these in turn."""
LEAST, MOST = 8, 128
"""Simulations of the teacher."""


class Seen(NamedTuple):
    """What one step of all lanes teaches."""

    observations: np.ndarray
    legal: np.ndarray
    weights: np.ndarray
    value: np.ndarray


def lessons(teacher: Decider, making: Making) -> Dataset:
    """Examples from episodes, for at most half of the time that preparation may take."""
    task, key = making.task, making.key
    budget = _budget(making)
    found, total, episode = [], 0, 0
    until = now() + 0.5 * making.allowed
    while total < EXAMPLES and (not found or now() < until):
        key, begin = jax.random.split(key)
        state = jax.vmap(task.init)(jax.random.split(begin, LANES))
        for _ in range(task.traits.horizon):
            live = ~np.asarray(_over(task, state))
            if not live.any() or total >= EXAMPLES or (found and now() > until):
                break
            key, ask, move = jax.random.split(key, 3)
            said, _ = teacher.decide(state, teacher.begin(LANES), budget=budget, key=ask)
            seen, legal, state = _step(task, state, said.action, move)
            columns = (seen, legal, said.weights, said.value)
            found.append(Seen(*(np.asarray(x)[live] for x in columns)))
            total, episode = total + int(live.sum()), episode + 1
    lesson = Seen(*(np.concatenate(x) for x in zip(*found, strict=True)))
    rows = np.resize(np.arange(total), EXAMPLES)  # one size, so that one program fits them all
    return Dataset.of(*(jnp.asarray(x[rows]) for x in lesson))


def _budget(making: Making) -> int:
    """Simulations of the teacher that let it give its examples in a third of the time."""
    world = making.world
    one = EXAMPLES * world["step"] * max(world["length"], 1.0)
    return int(np.clip(making.allowed / 3 / max(one, 1e-9), LEAST, MOST))


@eqx.filter_jit
def _over(task: Task, state: State) -> Bool[Array, " lanes"]:
    return jax.vmap(lambda s: stopped(task, s))(state)


@eqx.filter_jit
def _step(
    task: Task, state: State, action: Int[Array, " lanes"], key: Key[Array, ""]
) -> tuple[Float[Array, "lanes ..."], Bool[Array, "lanes actions"], State]:
    """What is seen, what is legal, and the states after."""
    lanes = action.shape[0]
    coin, draw, chance = jax.random.split(key, 3)
    legal = jax.vmap(task.legal)(state)
    noise = jnp.asarray(NOISE)[jnp.arange(lanes) % len(NOISE)]
    slips = jax.random.uniform(coin, (lanes,)) < noise
    other = jax.random.categorical(draw, jnp.where(legal, 0.0, -jnp.inf)).astype(action.dtype)
    done = jnp.maximum(jnp.where(slips, other, action), 0)
    after = jax.vmap(task.advance)(state, done, jax.random.split(chance, lanes))
    over = jax.vmap(lambda s: stopped(task, s))(state)
    seen = jax.vmap(task.observe)(state).astype(jnp.float32)
    return seen, legal, where_rows(over, state, after)
