"""Twins: one network, the same states and steps, taught by reward or by imitation of the best.

All arms see the same mazes in the same order and are told something in the same cells: those from
which the goal is near. "reward" climbs the exact gradient of what its policy is worth there,
"values" learns the worth of actions from what they lead to, and "imitation" is told which actions
are best. Some goals, all mazes with many walls and all starts far from the goal are left for later.

All trainings meet the same mazes: what is found is of these.

The null: the twin that should be taught by reward is taught by imitation, from other weights.
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
    agreement,
    all_scored,
    by_imitation,
    by_reward,
    by_values,
    greedy,
    many,
    some,
    way,
)

HELD_OUT = tuple(row * SIDE + column for row, column in ((0, 1), (1, 3), (2, 0), (3, 2)))
"""Goals that no training sees, though it sees each row and each column of theirs."""
FEW, MANY, NEAR = 0.2, 0.45, 3
"""Chance of a wall in training and where walls moved, and how far off the goal starts are."""
WIDTH, BATCH, RATE, POOL, TESTED = 64, 48, 1e-2, 4096, 512
PLACES = ("where trained", "walls moved", "goals elsewhere", "starts far off", "all three")
LOSSES = {"reward": by_reward, "imitation": by_imitation, "values": by_values}


def goals(new: bool) -> Float[Array, " cells"]:
    """Weights of the goals that are trained, or of the others."""
    held = np.isin(np.arange(CELLS), HELD_OUT)
    return jnp.asarray(held if new else ~held, jnp.float32)


def near(mazes: Maze) -> Bool[Array, "n cells"]:
    """Cells from which the goal is so near as in training."""
    return mazes.best > GAMMA ** (NEAR + 0.5)


def tests() -> list[tuple[Maze, Bool[Array, "n cells"]]]:
    """Mazes and the starts to judge in each of `PLACES`."""
    told = []
    for i, (walls, new, far) in enumerate(
        ((FEW, 0, 0), (MANY, 0, 0), (FEW, 1, 0), (FEW, 0, 1), (MANY, 1, 1))
    ):
        mazes = many(jnp.uint32(100 + i), goals(bool(new)), jnp.float32(walls), count=TESTED)
        told.append((mazes, near(mazes) ^ bool(far)))
    return told


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, [trainings, places]: `way` (of the best-scored actions, from random play to the
    optimum), `drawn` (of actions drawn by their scores) and `agreement` (with the best actions).
    """
    del context
    arm, steps = settings["arm"], settings["steps"]
    strange = bool(settings.get("null")) and arm != "imitation"
    loss_of = LOSSES["imitation" if strange else arm]

    def one(key: Key[Array, ""], pool: Maze, asked: Any) -> dict[str, Float[Array, " places"]]:
        make, learn = jax.random.split(jax.random.fold_in(key, int(strange)))

        def loss(network: Sight, key: Key[Array, ""]) -> Float[Array, ""]:
            mazes = some(pool, jax.random.randint(key, (BATCH,), 0, POOL))
            scores, inside = all_scored(network, mazes), near(mazes)
            told = jnp.where(inside[..., None], scores, jax.lax.stop_gradient(scores))
            return loss_of(mazes, told, inside)

        network, _ = descended(loss, Sight(make, WIDTH), learn, steps=steps, learning_rate=RATE)
        return judged(network, asked)

    pool = many(jnp.uint32(1), goals(False), jnp.float32(FEW), count=POOL)
    found = side_by_side(one, keys_of(settings), pool, tests())
    fits = steps * settings["trainings"]
    return outcome(found, fits=fits, data=float(fits) * BATCH)


def judged(network: Sight, asked: Any) -> dict[str, Float[Array, " places"]]:
    """A network in each place."""
    scores = [all_scored(network, mazes) for mazes, _ in asked]
    places = [(m, s, where) for s, (m, where) in zip(scores, asked, strict=True)]
    return {
        "way": jnp.stack([way(m, jax.vmap(greedy)(s), where) for m, s, where in places]),
        "drawn": jnp.stack([way(m, jax.nn.softmax(s), where) for m, s, where in places]),
        "agreement": jnp.stack([agreement(m, s, where) for m, s, where in places]),
    }
