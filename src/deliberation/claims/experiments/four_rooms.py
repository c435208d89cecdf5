"""A small world for experiments: four rooms, doors between them, a goal that is announced.

Six by six cells in four rooms; six doors at random places in the walls between them, each open or
closed. A step costs 1 until the goal is reached, so that what an action is worth is known exactly:
the number of steps that are left after it. A learner sees where it is, where the goal is and which
doors are closed.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

SIDE, DOORS, ACTIONS = 6, 6, 4
CELLS = SIDE * SIDE
FAR = 99.0
"""Steps to what cannot be reached, or was not seen."""
WAYS = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down, left; of equally good ones the first is taken."""


def _map() -> tuple[np.ndarray, np.ndarray]:
    """Where each move leads without walls [cells, actions], and which wall it crosses (or -1)."""
    leads, crosses = np.zeros((CELLS, ACTIONS), int), np.full((CELLS, ACTIONS), -1)
    half = SIDE // 2
    for cell in range(CELLS):
        row, column = divmod(cell, SIDE)
        for action, (down, right) in enumerate(WAYS):
            y, x = row + down, column + right
            inside = 0 <= y < SIDE and 0 <= x < SIDE
            leads[cell, action] = y * SIDE + x if inside else cell
            if inside and {column, x} == {half - 1, half}:
                crosses[cell, action] = row
            if inside and {row, y} == {half - 1, half}:
                crosses[cell, action] = SIDE + column
    return leads, crosses


LEADS, CROSSES = _map()
LEFT = np.arange(CELLS) % SIDE < SIDE // 2
"""The cells of the rooms on the left."""


def draw_doors(key: Key[Array, ""]) -> Int[Array, " doors"]:
    """The places of the doors among the 12 of the walls."""
    return jax.random.permutation(key, 2 * SIDE)[:DOORS]


def moves(
    doors: Int[Array, " doors"], closed: Bool[Array, " doors"]
) -> Int[Array, "cells actions"]:
    """Where each action leads: nowhere, where there is a wall."""
    passable = jnp.zeros(2 * SIDE, bool).at[doors].set(~closed)
    blocked = (CROSSES >= 0) & ~passable[jnp.maximum(CROSSES, 0)]
    return jnp.where(blocked, jnp.arange(CELLS)[:, None], LEADS)


def costs(after: Int[Array, "cells actions"], sweeps: int) -> Float[Array, "cells cells actions"]:
    """Steps to each goal that are left after each action, seen `sweeps` moves ahead (else `FAR`).

    By value iteration; [cell, goal, action].
    """
    start = jnp.where(jnp.eye(CELLS, dtype=bool), 0.0, FAR)

    def sweep(_: Int[Array, ""], left: Float[Array, "cells cells"]) -> Float[Array, "cells cells"]:
        return jnp.minimum(left, 1.0 + left[after].min(1)).clip(max=FAR)

    left = jax.lax.fori_loop(0, sweeps - 1, sweep, start)
    return left[after].swapaxes(1, 2)


def contested(cost: Float[Array, "*n actions"]) -> Bool[Array, "*n"]:
    """Where the goal can be reached, and one action is better than another."""
    return (cost.min(-1) < FAR) & (cost.max(-1) > cost.min(-1))


def cheapest(cost: Float[Array, "*n actions"], otherwise: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """The first of the best actions; `otherwise` where all look the same."""
    same = cost.max(-1) == cost.min(-1)
    return jnp.where(same, otherwise, cost.argmin(-1).astype(otherwise.dtype))


def way(
    action: Int[Array, "*n"], cost: Float[Array, "*n actions"], of: Bool[Array, "*n"]
) -> Float[Array, ""]:
    """Share of the way from a random to the best action, over some inputs taken together."""
    lost = cost - cost.min(-1, keepdims=True)
    taken = jnp.take_along_axis(lost, action[..., None], -1)[..., 0]
    return 1.0 - jnp.where(of, taken, 0.0).sum() / jnp.where(of, lost.mean(-1), 0.0).sum()


def agreement(
    one: Int[Array, "*n"], other: Int[Array, "*n"], of: Bool[Array, "*n"]
) -> Float[Array, ""]:
    """Share of some inputs in which two take the same action."""
    return jnp.where(of, one == other, 0.0).sum() / of.sum()


def places(cell: Int[Array, "*n"]) -> Float[Array, "*n two"]:
    """Row and column, from -1 to 1."""
    return jnp.stack([cell // SIDE, cell % SIDE], -1) / (SIDE - 1) * 2.0 - 1.0


def seen(
    cell: Int[Array, "*n"], goal: Int[Array, "*n"], closed: Bool[Array, "*n doors"]
) -> Float[Array, "*n inputs"]:
    """What a learner sees: cell and goal, each one-hot and by its place, and the closed doors."""
    return jnp.concatenate(
        [jax.nn.one_hot(cell, CELLS), jax.nn.one_hot(goal, CELLS), places(cell), places(goal),
         closed.astype(jnp.float32)], -1,
    )  # fmt: skip


INPUTS = 2 * CELLS + 4 + DOORS
"""Numbers that a learner sees."""
