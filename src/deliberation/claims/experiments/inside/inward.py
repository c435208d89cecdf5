"""Four trained networks: searching inwardly or not, answering or acting.

A thinker is recurrent: the same weights are applied at each step of thought, and a cell hears the
four cells about it, so that after t steps it can have heard of what lies t cells off. A reactive
network sees everything at once and has no steps. Either is trained to answer (which way from here
is best?) or by reward to act, both where the goal is near, and asked about starts far off.

What an answer does to the world is measured by opening and by cutting its channel: what moves does
what was answered, or moves at random.

All trainings meet the same mazes: what is found is of these.

The null: cells hear nothing of one another, and reward is for coming to another maze's goal than
the one that is told.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..mazes import (
    ACTIONS,
    CELLS,
    GAMMA,
    Maze,
    Sight,
    agreement,
    all_scored,
    arrivals,
    at_random,
    averaged,
    by_imitation,
    by_reward,
    leads,
    many,
    some,
)

WALLS, NEAR, FAR = 0.35, 3, 5
"""Chance of a wall, and how far off the goal starts are in training and when asked."""
CHANNELS, WIDTH, BATCH, RATE, POOL, TESTED = 12, 48, 32, 1e-2, 2048, 768
FREE, LEARNED = 6, 2
"""Steps of thought without gradient, at most, and with it after them (Bansal et al. 2022)."""
THOUGHTS = (1, 2, 3, 5, 8, 12)
KINDS = ("thinker", "reactive")
PURPOSES = ("answers", "acts")
ABOUT = np.asarray(leads(jnp.zeros(CELLS, bool)))
"""Which cell lies on which side of another, walls or not."""


class Thinker(eqx.Module):
    """A state of some channels in each cell, changed again and again by one rule."""

    sees: Float[Array, "channels seen"]
    hears: Float[Array, "told channels"]
    shift: Float[Array, " channels"]
    says: Float[Array, "told actions"]

    def __init__(self, key: Key[Array, ""]):
        a, b, c = jax.random.split(key, 3)
        told = CHANNELS * (ACTIONS + 1)
        self.sees = 0.5 * jax.random.normal(a, (CHANNELS, 2))
        self.hears = jax.random.normal(b, (told, CHANNELS)) * (2 / told) ** 0.5
        self.shift = jnp.zeros(CHANNELS)
        self.says = 0.1 * jax.random.normal(c, (told, ACTIONS))

    def __call__(
        self, maze: Maze, steps: int, deaf: bool, free: Any = 0
    ) -> Float[Array, "steps cells actions"]:
        """Scores of the actions in every cell after each step of thought.

        The first `free` steps are without gradient.
        """
        seen = jnp.stack([maze.walls, jnp.arange(CELLS) == maze.goal], 1).astype(jnp.float32)
        given = seen @ self.sees.T + self.shift

        def heard(state: Float[Array, "cells channels"]) -> Float[Array, "cells told"]:
            about = jnp.einsum("sat,tc->sac", ABOUT, state).reshape(CELLS, -1)
            return jnp.concatenate([state, 0.0 * about if deaf else about], 1)

        def thought(state: Array, now: Array) -> tuple[Array, Array]:
            after = jnp.minimum(jax.nn.relu(heard(state) @ self.hears + given), 10.0)
            after = jnp.where(now < free, jax.lax.stop_gradient(after), after)
            return after, heard(after) @ self.says

        return jax.lax.scan(thought, jnp.zeros((CELLS, CHANNELS)), jnp.arange(steps))[1]


def near(mazes: Maze, cells: int = NEAR) -> Any:
    """Cells from which the goal is at most so many steps away."""
    return mazes.best > GAMMA ** (cells + 0.5)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of one arm, "thinker answers" and so on. A number a training: `open` and `cut`, the
    chance to come to the goal within an episode with the channel open and cut, over all starts; and
    [trainings, thoughts]: `agreement` with the best actions from starts far off, and `known`, the
    same where trained (of a reactive network all alike).
    """
    del context
    kind, purpose = settings["arm"].split()
    steps, null = settings["steps"], bool(settings.get("null"))
    aim = by_imitation if purpose == "answers" else by_reward

    def scores_of(
        network: Any, mazes: Maze, thoughts: int, free: Any = 0
    ) -> Float[Array, "t n cells actions"]:
        if kind == "reactive":
            scores = all_scored(network, mazes)
            return jnp.broadcast_to(scores, (thoughts, *scores.shape))
        return jax.vmap(lambda maze: network(maze, thoughts, null, free), out_axes=1)(mazes)

    def loss_on(network: Any, mazes: Maze, key: Key[Array, ""]) -> Float[Array, ""]:
        free = jax.random.randint(key, (), 0, FREE + 1)
        scores = scores_of(network, mazes, FREE + LEARNED, free)[free + LEARNED - 1]
        inside = near(mazes)
        told = jnp.where(inside[..., None], scores, jax.lax.stop_gradient(scores))
        if null and purpose == "acts":
            mazes = mazes._replace(goal=jnp.roll(mazes.goal, 1))
        return aim(mazes, told, inside)

    def one(key: Key[Array, ""], pool: Maze, asked: Maze) -> dict[str, Array]:
        make, learn = jax.random.split(key)
        begun = Thinker(make) if kind == "thinker" else Sight(make, WIDTH)

        def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
            which, think = jax.random.split(key)
            mazes = some(pool, jax.random.randint(which, (BATCH,), 0, POOL))
            return loss_on(network, mazes, think)

        network, _ = descended(loss, begun, learn, steps=steps, learning_rate=RATE)
        scores = scores_of(network, asked, max(THOUGHTS))
        return judged(scores[np.array(THOUGHTS) - 1], asked)

    goals, walls = jnp.ones(CELLS), jnp.float32(WALLS)
    pool = many(jnp.uint32(1), goals, walls, count=POOL)
    asked = many(jnp.uint32(21), goals, walls, count=TESTED)
    found = side_by_side(one, keys_of(settings), pool, asked)
    fits = steps * settings["trainings"]
    return outcome(found, fits=fits, data=float(fits) * BATCH)


def judged(scores: Float[Array, "thoughts n cells actions"], mazes: Maze) -> dict[str, Array]:
    """Answers by steps of thought, and what comes of them in the world."""
    far = ~near(mazes, FAR - 1)
    blind = jnp.broadcast_to(at_random(), scores.shape[1:])
    done = jax.nn.softmax(scores[THOUGHTS.index(8)])

    def arrived(choices: Array) -> Array:
        return averaged(jax.vmap(arrivals)(mazes, choices, mazes.goal)[..., 0], mazes)

    def over(judge: Any, *, where: Any) -> Array:
        return jnp.stack([judge(mazes, s, where) for s in scores])

    return {
        "open": arrived(done),
        "cut": arrived(blind),
        "agreement": over(agreement, where=far),
        "known": over(agreement, where=near(mazes)),
    }
