"""Mazes to think about (`thinking`): which of two doors can each field be reached from?

Walls stand between fields. The ways are two trees without a circle that together fill the maze,
with a door in each; so every field is reached from one door alone, by one way, and how many steps
it has tells how far news has to come. Which door is which is by chance.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....runs import Context, Outcome
from .thinking import Drawn, State, World, taught

SIDE, LARGER, ROUNDS = 5, 9, 8
"""Fields in a row of a maze in training and afterwards, and rounds in training at most."""
WIDTH, HIDDEN = 8, 16
SEEN = 6
"""Of a field: whether one can go up, down, left and right, and whether either door is there."""
AROUND = ((0, 1), (2, 1), (1, 0), (1, 2))
"""Where what lies up, down, left and right begins, in a maze with a margin of one."""


def steps_of(side: int) -> Int[np.ndarray, "steps two"]:
    """The fields (numbered row by row) on either side of each wall that there could be."""
    field = np.arange(side * side).reshape(side, side)
    down = np.stack([field[:-1].ravel(), field[1:].ravel()], 1)
    return np.concatenate([down, np.stack([field[:, :-1].ravel(), field[:, 1:].ravel()], 1)])


def beside(x: Float[Array, "side side some"]) -> Float[Array, "four side side some"]:
    """What lies up, down, left and right of each field; outside is zero."""
    side, wide = len(x), jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    return jnp.stack([wide[i : i + side, j : j + side] for i, j in AROUND])


def grown(
    key: Key[Array, ""], doors: Int[Array, " two"], side: int
) -> Bool[Array, "side side four"]:
    """Where one can go from each field: two random trees (Kruskal 1956), grown from the doors."""
    steps = steps_of(side)
    order = jax.random.permutation(key, len(steps))
    # Both doors belong together from the beginning, and so no way ever joins them.
    tree = jnp.arange(side * side).at[doors[1]].set(doors[0])

    def joined(tree: Array, step: Array) -> tuple[Array, Array]:
        one, other = tree[step[0]], tree[step[1]]
        return jnp.where(tree == other, one, tree), one != other

    _, opened = jax.lax.scan(joined, tree, jnp.asarray(steps)[order])
    opened = jnp.zeros(len(steps), bool).at[order].set(opened)
    down, right = opened[: side * (side - 1)], opened[side * (side - 1) :]
    down = jnp.pad(down.reshape(side - 1, side), ((0, 1), (0, 0)))
    right = jnp.pad(right.reshape(side, side - 1), ((0, 0), (0, 1)))
    up, left = jnp.roll(down, 1, 0), jnp.roll(right, 1, 1)
    return jnp.stack([up, down, left, right], -1)


def walked(
    ways: Bool[Array, "side side four"], doors: Float[Array, "side side two"]
) -> Int[Array, "side side two"]:
    """Steps from either door to each field by breadth-first search; as many as fields if none."""
    most = doors[..., 0].size
    none, opened = jnp.full(doors.shape, most), jnp.moveaxis(ways, -1, 0)[..., None]

    def wave(at: tuple[Array, Array], now: Array) -> tuple[tuple[Array, Array], None]:
        steps, front = at
        steps = jnp.where(front & (steps == most), now, steps)
        return (steps, (beside(front.astype(jnp.float32)) * opened).any(0)), None

    return jax.lax.scan(wave, (none, doors > 0), jnp.arange(most))[0][0]


def draw(key: Key[Array, ""], n: int, side: int) -> Drawn:
    """Mazes, and the door that each field is reached from."""

    def one(key: Key[Array, ""]) -> Drawn:
        place, grow = jax.random.split(key)
        at = jax.random.choice(place, side * side, (2,), replace=False)
        doors, ways = (
            jax.nn.one_hot(at, side * side).T.reshape(side, side, 2),
            grown(grow, at, side),
        )
        steps = walked(ways, doors)
        seen = jnp.concatenate([ways.astype(jnp.float32), doors], -1)
        return Drawn(seen, steps.argmin(-1), steps.min(-1))

    return jax.vmap(one)(jax.random.split(key, n))


def near(state: State, seen: Float[Array, "side side seen"]) -> Float[Array, "side side near"]:
    """State and sight of a field, and the states of those around it, whatever walls there are."""
    return jnp.concatenate([state, seen, *beside(state)], -1)


MAZES = World(
    draw, near, 5 * WIDTH + SEEN, SIDE, LARGER, ROUNDS, WIDTH, HIDDEN, batch=16, drawn=128
)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes are those of `thinking.taught`."""
    del context
    return taught(MAZES, settings)
