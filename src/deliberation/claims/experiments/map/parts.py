"""Networks that are taught by reward on a part of all goals, or on few mazes or many.

Where in the space of its inputs a network optimises is asked input by input, exactly: from which
starts, to which goals, do its best-scored actions lead to the goal by a shortest way? Two hybrids
are made of each network and asked the same: one plans where the goal lies within `DEPTH` steps and
follows the network elsewhere, one thinks where the network is unsure.

All trainings meet the same mazes: what is found is of these. New mazes that are like those of
training are none of the pool that trainings draw from.

The null: trained on all goals instead of a part, or on as few mazes whatever is said.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..mazes import (
    CELLS,
    GAMMA,
    SIDE,
    Maze,
    Sight,
    all_scored,
    by_reward,
    greedy,
    many,
    some,
    worth,
)

FEW, MANY = 0.2, 0.45
"""Chance of a wall in training, and where walls moved."""
WIDTH, BATCH, RATE, POOL = 48, 32, 1e-2, 4096
TESTED, EACH = 512, 48
"""Mazes of a test, and mazes of the map for each goal."""
DEPTH, UNSURE = 2, 0.35
"""How far one hybrid plans, and the entropy (nats) beyond which the other thinks."""
TRAINED = (np.arange(CELLS) // SIDE + np.arange(CELLS) % SIDE) % 2 == 0
"""Goals that are trained where only a part of them is: every other cell, chequered, so that
each row and each column of the others is seen in training too, which is how a goal is told."""
SUBJECTS = ("network", "plans two steps", "thinks where unsure", "untrained")


def shortest(mazes: Maze, choices: Float[Array, "n cells actions"]) -> Bool[Array, "n cells"]:
    """From which cells a policy goes a shortest way."""
    return jax.vmap(worth)(mazes, choices) > mazes.best * GAMMA**0.5


def share(holds: Bool[Array, "n cells"], mazes: Maze) -> Float[Array, ""]:
    """Of the inputs that are asked about, those for which it holds."""
    return (holds & mazes.asked).sum() / jnp.maximum(mazes.asked.sum(), 1)


def choices_of(scores: Float[Array, "n cells actions"], mazes: Maze) -> list[Array]:
    """What the network and both hybrids take."""
    own = jax.vmap(greedy)(scores)
    best = jax.vmap(greedy)(mazes.good.astype(jnp.float32))
    near = mazes.best > GAMMA ** (DEPTH + 0.5)
    log = jax.nn.log_softmax(scores)
    unsure = -(jnp.exp(log) * log).sum(-1) > UNSURE
    return [own, *(jnp.where(thinks[..., None], best, own) for thinks in (near, unsure))]


def mapped(network: Sight, blank: Sight, mazes: Maze) -> Float[Array, "subjects goals starts"]:
    """Share of the mazes in which each subject goes a shortest way, by goal and by start.

    Mazes come in `CELLS` groups, one a goal; where a start was never asked about it is 0.
    """
    taken = [*choices_of(all_scored(network, mazes), mazes)]
    taken.append(jax.vmap(greedy)(all_scored(blank, mazes)))
    asked = mazes.asked.reshape(CELLS, EACH, CELLS).sum(1)

    def one(choices: Array) -> Array:
        holds = (shortest(mazes, choices) & mazes.asked).reshape(CELLS, EACH, CELLS).sum(1)
        return holds / jnp.maximum(asked, 1)

    return jnp.stack([one(choices) for choices in taken])


def atlas() -> Maze:
    """The mazes of the map: for each goal in turn so many."""
    one_each = [
        many(jnp.uint32(300 + goal), jax.nn.one_hot(goal, CELLS), jnp.float32(FEW), count=EACH)
        for goal in range(CELLS)
    ]
    return jax.tree.map(lambda *x: jnp.concatenate(x), *one_each)


def new_to(pool: Maze, mazes: Maze) -> Maze:
    """The first `TESTED` of some mazes whose walls and goal none of a pool has."""
    seen, told = (
        [
            (*map(bool, walls), int(goal))
            for walls, goal in zip(*map(np.asarray, x[:2]), strict=True)
        ]
        for x in (pool, mazes)
    )
    old = set(seen)
    rows = [i for i, maze in enumerate(told) if maze not in old][:TESTED]
    assert len(rows) == TESTED, "too few mazes are new"
    return some(mazes, jnp.array(rows))


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes. With `numbers`, [trainings, numbers]: shares of the inputs for which a network
    that is trained on so many mazes goes a shortest way, in its own (`seen`), in new ones like them
    (`fresh`) and with walls moved (`moved`). Else `map`, [trainings, subjects, goals, starts].
    """
    del context
    numbers, steps, null = (
        list(settings.get("numbers", [])),
        settings["steps"],
        bool(settings.get("null")),
    )
    weights = jnp.ones(CELLS) if numbers or null else jnp.asarray(TRAINED, jnp.float32)
    everywhere = jnp.ones(CELLS)
    if numbers and null:
        numbers = [numbers[0]] * len(numbers)

    def taught(key: Key[Array, ""], number: Array, pool: Maze) -> tuple[Sight, Sight, Array]:
        make, learn, where = jax.random.split(key, 3)
        first = jax.random.randint(where, (), 0, POOL)

        def loss(network: Sight, key: Key[Array, ""]) -> Float[Array, ""]:
            lots = jax.random.randint(key, (BATCH,), 0, POOL) % number
            mazes = some(pool, (first + lots) % POOL)
            return by_reward(mazes, all_scored(network, mazes))

        blank = Sight(make, WIDTH)
        network, _ = descended(loss, blank, learn, steps=steps, learning_rate=RATE)
        return network, blank, (first + jnp.arange(TESTED) % number) % POOL

    def drawn_map(key: Key[Array, ""], pool: Maze, mazes: Maze) -> dict[str, Array]:
        network, blank, _ = taught(key, jnp.int32(POOL), pool)
        return {"map": mapped(network, blank, mazes)}

    def ladder(key: Key[Array, ""], pool: Maze, *tests: Maze) -> dict[str, Array]:
        def rung(number: Array, place: Array) -> dict[str, Array]:
            network, _, rows = taught(jax.random.fold_in(key, place), number, pool)
            asked = {"seen": some(pool, rows), "fresh": tests[0], "moved": tests[1]}
            return {
                name: share(shortest(m, jax.vmap(greedy)(all_scored(network, m))), m)
                for name, m in asked.items()
            }

        return jax.vmap(rung)(jnp.asarray(numbers, jnp.int32), jnp.arange(len(numbers)))

    pool = many(jnp.uint32(1), weights, jnp.float32(FEW), count=POOL)
    if numbers:
        tests = [
            new_to(
                pool, many(jnp.uint32(200 + i), everywhere, jnp.float32(walls), count=2 * TESTED)
            )
            for i, walls in enumerate((FEW, MANY))
        ]
        found = side_by_side(ladder, keys_of(settings), pool, *tests, most=8)
    else:
        found = side_by_side(drawn_map, keys_of(settings), pool, atlas(), most=8)
    fits = steps * settings["trainings"] * max(len(numbers), 1)
    return outcome(found, fits=fits, data=float(fits) * BATCH)
