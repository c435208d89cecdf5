"""Small mazes in which everything is exact, and a network that sees them: what twins are made of.

A maze has `SIDE` by `SIDE` cells, some of them walls, and a goal; a move into a wall or out of the
maze stays where it is. Reaching the goal d steps from now is worth `GAMMA`**d, and after `STEPS`
steps it is over. So what a policy is worth from every cell follows from its choices by `STEPS`
products of matrices, without playing, and so does its gradient.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

SIDE, STEPS, GAMMA = 4, 12, 0.9
"""Cells in a row, steps of an episode, and what a step later is worth."""
CELLS, ACTIONS = SIDE * SIDE, 4
MOVES = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
CLOSE = 1e-4
"""Actions whose values differ by less are equally good."""

Choices = Float[Array, "cells actions"]
"""The chance of each action in each cell."""


class Maze(NamedTuple):
    """Walls and a goal, where each move leads, and the exact answers."""

    walls: Bool[Array, " cells"]
    goal: Int[Array, ""]
    to: Float[Array, "cells actions cells"]
    best: Float[Array, " cells"]
    """What a cell is worth to who plays best."""
    good: Bool[Array, "cells actions"]
    """Which actions are best."""
    asked: Bool[Array, " cells"]
    """Free cells from which the goal can be reached, but not the goal."""


def leads(walls: Bool[Array, " cells"]) -> Float[Array, "cells actions cells"]:
    """Where each move leads, as ones among zeros."""
    at = np.stack([np.arange(CELLS) // SIDE, np.arange(CELLS) % SIDE], 1)
    there = at[:, None] + MOVES[None]
    inside = ((there >= 0) & (there < SIDE)).all(-1)
    cells = np.where(inside, there[..., 0] * SIDE + there[..., 1], np.arange(CELLS)[:, None])
    free = ~walls[cells]
    return jax.nn.one_hot(jnp.where(free, cells, np.arange(CELLS)[:, None]), CELLS)


def solved(to: Float[Array, "cells actions cells"], goal: Int[Array, ""]) -> Float[Array, " cells"]:
    """What each cell is worth to who plays best, by value iteration."""
    there = jax.nn.one_hot(goal, CELLS)

    def swept(value: Array, _: None) -> tuple[Array, None]:
        return jnp.maximum(there, GAMMA * (to @ value).max(1)), None

    return jax.lax.scan(swept, there, None, length=STEPS)[0]


def built(walls: Bool[Array, " cells"], goal: Int[Array, ""]) -> Maze:
    """A maze and its answers; the goal's own cell is free."""
    walls = walls.at[goal].set(False)
    to = leads(walls)
    best = solved(to, goal)
    onward = to @ best
    good = onward > onward.max(1, keepdims=True) - CLOSE
    asked = (best > 0) & ~walls & (jnp.arange(CELLS) != goal)
    return Maze(walls, goal, to, best, good, asked)


def drawn(
    key: Key[Array, ""], goals: Float[Array, " cells"], density: Any, free: int | None = None
) -> Maze:
    """A maze with a goal drawn by weight; other cells are walls with a chance of `density`.

    A cell can be kept free.
    """
    first, second = jax.random.split(key)
    goal = jax.random.categorical(first, jnp.log(goals))
    walls = jax.random.uniform(second, (CELLS,)) < density
    return built(walls if free is None else walls.at[free].set(False), goal)


def worth(maze: Maze, choices: Choices) -> Float[Array, " cells"]:
    """What a policy is worth from each cell, exactly."""
    there = jax.nn.one_hot(maze.goal, CELLS)
    step = GAMMA * (choices[:, :, None] * maze.to).sum(1)

    def swept(value: Array, _: None) -> tuple[Array, None]:
        return there + (1 - there) * (step * value).sum(1), None

    return jax.lax.scan(swept, there, None, length=STEPS, unroll=STEPS)[0]


def arrivals(maze: Maze, choices: Choices, other: Int[Array, ""]) -> Float[Array, "cells 2"]:
    """The chance to come within an episode, first of both, to the goal and to another cell."""
    ends = jax.nn.one_hot(jnp.stack([maze.goal, other]), CELLS).T
    over = ends.sum(1, keepdims=True) > 0
    step = (choices[:, :, None] * maze.to).sum(1)

    def swept(chance: Array, _: None) -> tuple[Array, None]:
        return jnp.where(over, ends, step @ chance), None

    return jax.lax.scan(swept, ends, None, length=STEPS)[0]


def at_random() -> Choices:
    """Every action alike."""
    return jnp.full((CELLS, ACTIONS), 1 / ACTIONS)


def greedy(scores: Float[Array, "cells actions"]) -> Choices:
    """The best-scored action, always."""
    return jax.nn.one_hot(scores.argmax(1), ACTIONS)


class Sight(eqx.Module):
    """Scores of the actions in every cell, from the walls, the goal and where one is.

    The goal is told by its row and its column, so that a goal can be new while its row and its
    column are not. Marks are further layers of cells, for who sees more.
    """

    walls: Float[Array, "width cells"]
    goal: Float[Array, "width told"]
    here: Float[Array, "cells width"]
    start: Float[Array, " width"]
    hidden: Float[Array, "width width"]
    shift: Float[Array, " width"]
    out: Float[Array, "actions width"]

    def __init__(self, key: Key[Array, ""], width: int, told: int = 2 * SIDE):
        a, b, c, d, e = jax.random.split(key, 5)
        normal = jax.random.normal
        self.walls = normal(a, (width, CELLS)) / 3
        self.goal = normal(b, (width, told))
        self.here = normal(c, (CELLS, width))
        self.start, self.shift = jnp.zeros(width), jnp.zeros(width)
        self.hidden = normal(d, (width, width)) * (2 / width) ** 0.5
        self.out = 0.1 * normal(e, (ACTIONS, width)) / width**0.5

    def __call__(
        self, walls: Bool[Array, " cells"], goal: Float[Array, " told"]
    ) -> Float[Array, "cells actions"]:
        """The scores in all cells at once."""
        seen = self.walls @ walls.astype(jnp.float32) + self.goal @ goal + self.start
        x = jax.nn.relu(seen + self.here)
        return jax.nn.relu(x @ self.hidden + self.shift) @ self.out.T


def row_and_column(goal: Int[Array, ""]) -> Float[Array, " told"]:
    """A cell by its row and its column."""
    return jnp.concatenate([jax.nn.one_hot(goal // SIDE, SIDE), jax.nn.one_hot(goal % SIDE, SIDE)])


def scored(network: Sight, maze: Maze) -> Float[Array, "cells actions"]:
    """A network's scores in a maze whose goal it is told."""
    return network(maze.walls, row_and_column(maze.goal))


def averaged(each: Float[Array, "n cells"], mazes: Maze, where: Any = True) -> Float[Array, ""]:
    """A mean over the cells that are asked of, of all mazes."""
    counts = (mazes.asked & where).astype(jnp.float32)
    return (each * counts).sum() / jnp.maximum(counts.sum(), 1.0)


def by_reward(mazes: Maze, scores: Float[Array, "n cells actions"], where: Any = True) -> Array:
    """A loss: what the policy of these scores is worth, exactly, to be made greater."""
    return -averaged(jax.vmap(worth)(mazes, jax.nn.softmax(scores)), mazes, where)


def by_imitation(mazes: Maze, scores: Float[Array, "n cells actions"], where: Any = True) -> Array:
    """A loss: cross-entropy to an actor that takes any of the best actions alike."""
    told = mazes.good / mazes.good.sum(-1, keepdims=True)
    return averaged(-(told * jax.nn.log_softmax(scores)).sum(-1), mazes, where)


def way(mazes: Maze, choices: Float[Array, "n cells actions"], where: Any = True) -> Array:
    """How far a policy goes from random play to the optimum, over all cells that are asked of."""
    valued = jax.vmap(worth)
    blind = averaged(jax.vmap(lambda maze: worth(maze, at_random()))(mazes), mazes, where)
    reached = averaged(valued(mazes, choices), mazes, where)
    return (reached - blind) / jnp.maximum(averaged(mazes.best, mazes, where) - blind, 1e-6)


def agreement(mazes: Maze, scores: Float[Array, "n cells actions"], where: Any = True) -> Array:
    """How often the best-scored action is one of the best."""
    chosen = jnp.take_along_axis(mazes.good, scores.argmax(-1)[..., None], -1)[..., 0]
    return averaged(chosen.astype(jnp.float32), mazes, where)


def by_values(mazes: Maze, scores: Float[Array, "n cells actions"], where: Any = True) -> Array:
    """A loss: scores as values of actions, each against what it leads to (Q-learning)."""
    there = jax.nn.one_hot(mazes.goal, CELLS)
    after = jnp.maximum(there, (1 - there) * scores.max(-1))
    onward = GAMMA * (mazes.to * jax.lax.stop_gradient(after)[:, None, None]).sum(-1)
    return averaged(((scores - onward) ** 2).sum(-1), mazes, where)


@functools.partial(jax.jit, static_argnames=("count", "free"))
def many(
    seed: Array, goals: Float[Array, " cells"], density: Array, *, count: int,
    free: int | None = None,
) -> Maze:  # fmt: skip
    """So many mazes."""
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.vmap(lambda key: drawn(key, goals, density, free))(keys)


def some(mazes: Maze, rows: Array) -> Maze:
    """Some of many mazes."""
    return jax.tree.map(lambda x: x[rows], mazes)


def all_scored(network: Any, mazes: Maze) -> Float[Array, "n cells actions"]:
    """A network's scores in many mazes."""
    return jax.vmap(scored, (None, 0))(network, mazes)
