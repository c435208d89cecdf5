"""Rows of bits to think about (`thinking`): at every place, are the bits so far odd in number?

How hard an answer is can be read off where it stands: news has to come from the row's beginning.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ....amortised import prefix_sums
from ....runs import Context, Outcome
from .thinking import Drawn, State, World, taught

LENGTH, LONGER = 10, 30
"""Bits of a row in training and afterwards."""
WIDTH = 10


def draw(key: Key[Array, ""], n: int, length: int) -> Drawn:
    """Rows, and what is right at each place."""
    row, right = jax.vmap(lambda k: prefix_sums(k, length))(jax.random.split(key, n))
    return Drawn(jax.nn.one_hot(row, 2), right, jnp.broadcast_to(jnp.arange(length), (n, length)))


def near(state: State, seen: Float[Array, "length two"]) -> Float[Array, "length near"]:
    """State and bit at a place, before it and after it."""
    wide = jnp.pad(jnp.concatenate([state, seen], 1), ((1, 1), (0, 0)))
    return jnp.concatenate([wide[:-2], wide[1:-1], wide[2:]], 1)


ROWS = World(draw, near, 3 * (WIDTH + 2), LENGTH, LONGER, rounds=LENGTH, width=WIDTH)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes are those of `thinking.taught`."""
    del context
    return taught(ROWS, settings)
