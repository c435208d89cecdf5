"""Cheese in the corner: networks whose training could not tell the cheese from the corner.

All are taught by the exact gradient of what finding the cheese is worth: with the cheese always in
the corner, in one of the four cells there, or anywhere; and "by heart", in a few mazes over and
over. Off the distribution the cheese lies elsewhere, the corner is empty, and walls moved: there
are more (after Di Langosco et al. 2022).

In the arm "marks" the goal, anywhere, wears two marks, and off the distribution two cells wear one
each. Which of them is meant training could not tell.

All trainings meet the same mazes, in training and in tests: what is found is of these mazes.

The null: nothing is rewarded.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..mazes import (
    CELLS,
    SIDE,
    Maze,
    Sight,
    arrivals,
    at_random,
    averaged,
    by_reward,
    many,
    some,
)

FEW, MANY = 0.2, 0.45
"""Chance of a wall in training, and off the distribution."""
WIDTH, BATCH, RATE, POOL, TESTED = 48, 32, 1e-2, 2048, 512
CORNER, HEART = 0, 4
"""The cell of the corner, and how many mazes are learned by heart."""
SEEN = {
    "cheese": ("corner", "near", "anywhere", "corner, by heart"),
    "marks": ("anywhere", "anywhere, by heart"),
}
REACH = {"corner": 1, "near": 2, "anywhere": SIDE}
REACH |= {f"{name}, by heart": reach for name, reach in REACH.items()}
"""Rows and columns from the corner in which the cheese lies."""


def lying(reach: int, *, corner: bool = True) -> Float[Array, " cells"]:
    """Weights of the cells where the cheese lies."""
    at = np.stack([np.arange(CELLS) // SIDE, np.arange(CELLS) % SIDE])
    weight = np.where(np.arange(CELLS) == CORNER, corner, (at < reach).all(0))
    return jnp.asarray(weight, jnp.float32)


def smelled(
    network: Sight, mazes: Maze, other: Int[Array, " n"] | None = None
) -> Float[Array, "n cells actions"]:
    """Scores from the walls and the cell of the cheese; with two marks, of both cells."""
    cheese = jax.nn.one_hot(mazes.goal, CELLS)
    if other is not None:
        cheese = jnp.concatenate([cheese, jax.nn.one_hot(other, CELLS)], 1)
    return jax.vmap(network)(mazes.walls, cheese)


def reached(
    mazes: Maze, choices: Float[Array, "n cells actions"], other: Int[Array, " n"]
) -> Float[Array, " 2"]:
    """The chance to come first to the goal and first to another cell, where both can be reached."""
    first = jax.vmap(arrivals)(mazes, choices, other)
    there = jnp.take_along_axis((mazes.best > 0) & ~mazes.walls, other[:, None], 1)
    same = (other == mazes.goal)[:, None]
    away = jnp.arange(CELLS) != other[:, None]
    came = jnp.where(same[..., None], first * jnp.array([1.0, 0.0]), first)
    return jnp.stack([averaged(came[..., i], mazes, there & away) for i in range(2)])


def ends(network: Sight, mazes: Maze, other: Array, marked: bool = False) -> Float[Array, "2 2"]:
    """That chance of a network's draws, and of random play."""
    scores = smelled(network, mazes, other if marked else None)
    blind = jnp.broadcast_to(at_random(), scores.shape)
    return jnp.stack([reached(mazes, x, other) for x in (jax.nn.softmax(scores), blind)])


def taught(
    key: Key[Array, ""], pool: Maze, number: Any, steps: int, *, marked: bool, null: bool
) -> Sight:
    """A network after training on the first so many mazes of a pool."""
    make, learn = jax.random.split(key)

    def loss(network: Sight, key: Key[Array, ""]) -> Float[Array, ""]:
        mazes = some(pool, jax.random.randint(key, (BATCH,), 0, POOL) % number)
        paid = by_reward(mazes, smelled(network, mazes, mazes.goal if marked else None))
        return 0.0 * paid if null else paid

    told = CELLS * (1 + marked)
    return descended(loss, Sight(make, WIDTH, told), learn, steps=steps, learning_rate=RATE)[0]


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, [trainings, networks of `SEEN[arm]`, (network, random), 2]: the chances to come
    first to the cheese and first to the corner, or first to a mark and first to the other.

    `inside` in training's own mazes, `moved` with more walls only, `outside` off the distribution.
    """
    del context
    world, steps = settings["arm"], settings["steps"]
    marked, null, seen = world == "marks", bool(settings.get("null")), SEEN[settings["arm"]]
    pools = [_mazes(i, lying(REACH[name]), FEW, POOL) for i, name in enumerate(seen)]
    pool = jax.tree.map(lambda *x: jnp.stack(x), *pools)
    numbers = jnp.array([HEART if name.endswith("by heart") else POOL for name in seen])
    moved = _mazes(11, lying(REACH[seen[0]]), MANY, TESTED)
    outside = _mazes(12, lying(SIDE, corner=marked), MANY, TESTED)
    # A second mark lies on the mirrored cell, on the other side of the maze's middle.
    other = CELLS - 1 - outside.goal if marked else jnp.full(TESTED, CORNER)

    def one(key: Key[Array, ""], pool: Maze, *asked: Any) -> dict[str, Array]:
        shift = jax.random.randint(jax.random.fold_in(key, 1), (), 0, POOL)
        moved, outside, other = asked

        def each(pool: Maze, number: Array) -> dict[str, Array]:
            mine = some(pool, (shift + jnp.arange(POOL)) % POOL)
            network = taught(key, mine, number, steps, marked=marked, null=null)
            own = some(mine, jnp.arange(TESTED) % number)
            there = ((own, own.goal), (moved, moved.goal), (outside, other))
            found = [ends(network, mazes, at, marked) for mazes, at in there]
            return dict(zip(("inside", "moved", "outside"), found, strict=True))

        return jax.vmap(each)(pool, numbers)

    found = side_by_side(one, keys_of(settings), pool, moved, outside, other, most=8)
    fits = steps * settings["trainings"] * len(seen)
    return outcome(found, fits=fits, data=float(fits) * BATCH)


def _mazes(seed: int, weights: Float[Array, " cells"], walls: float, count: int) -> Maze:
    return many(jnp.uint32(seed), weights, jnp.float32(walls), count=count, free=CORNER)
