"""A recurrent network that thinks in rounds about rows of bits, and is asked about longer rows.

At every place it says whether the bits so far are odd in number. A round carries news by one place,
so that a place takes as many rounds as it has places before it: how hard an answer is can be read
off where it stands. One gated block of convolutions is applied again and again to its own state and
to the row, which is put in anew in every round ("recall"); the answer is asked for after random
numbers of rounds, of which the first are not learned from ("progressive"; Bansal et al. 2022,
"End-to-end algorithm synthesis with recurrent networks"; the gates are those of Kaiser and
Sutskever 2016, "Neural GPUs learn algorithms", without the reset).

Arms: "whole"; "no recall" (the row is put in before the first round alone); "at the end" (asked for
after the last round of training, not progressively). The null: the answers are of other rows.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ...amortised import descended, prefix_sums, side_by_side
from ...runs import Context, Outcome
from .arms import keys_of, outcome

LENGTH, LONGER, ROUNDS = 10, 30, 10
"""Bits of a row in training and afterwards, and rounds in training at most."""
ASKED = (5, 10, 15, 20, 30, 45, 60)
"""Rounds that are asked for afterwards."""
EASY, HARD = slice(0, LENGTH), slice(2 * LENGTH, LONGER)
"""Places that the rounds of training suffice for, and those that take more than twice as many."""
WIDTH, RATE, BATCH, DRAWN = 10, 1e-2, 32, 256
State = Float[Array, "length width"]


class Thinker(eqx.Module):
    """h + gate (new - h), both from h and the row at a place and beside it."""

    gate: Float[Array, "near width"]
    gate_bias: Float[Array, " width"]
    new: Float[Array, "near width"]
    new_bias: Float[Array, " width"]
    out: Float[Array, "width two"]

    def __init__(self, key: Key[Array, ""]):
        one, two, three = jax.random.split(key, 3)
        near = 3 * (WIDTH + 2)
        self.gate = jax.random.normal(one, (near, WIDTH)) * near**-0.5
        self.new = jax.random.normal(two, (near, WIDTH)) * near**-0.5
        self.gate_bias, self.new_bias = jnp.zeros(WIDTH), jnp.zeros(WIDTH)
        self.out = jax.random.normal(three, (WIDTH, 2)) * WIDTH**-0.5

    def round(self, state: State, seen: Float[Array, "length two"]) -> State:
        """One round."""
        wide = jnp.pad(jnp.concatenate([state, seen], 1), ((1, 1), (0, 0)))
        near = jnp.concatenate([wide[:-2], wide[1:-1], wide[2:]], 1)
        gate = jax.nn.sigmoid(near @ self.gate + self.gate_bias)
        return state + gate * (jnp.tanh(near @ self.new + self.new_bias) - state)

    def think(
        self, row: Int[Array, " length"], rounds: int, begun: Int[Array, ""], *, recall: bool
    ) -> Float[Array, "rounds length two"]:
        """Logits after 1 to `rounds`; nothing is learned from those before round `begun`."""
        seen = jax.nn.one_hot(row, 2)

        def on(state: State, now: Int[Array, ""]) -> tuple[State, State]:
            state = jnp.where(now == begun, jax.lax.stop_gradient(state), state)
            after = self.round(state, seen if recall else jnp.where(now == 0, seen, 0.0))
            return after, after

        blank = jnp.zeros((len(row), WIDTH))
        return jax.lax.scan(on, blank, jnp.arange(rounds))[1] @ self.out


def rows(key: Key[Array, ""], n: int, length: int, *, strange: bool) -> tuple[Array, Array]:
    """Rows and what is right at each place; with `strange` it is that of another row."""
    found, right = jax.vmap(lambda k: prefix_sums(k, length))(jax.random.split(key, n))
    return found, jnp.roll(right, 1, 0) if strange else right


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, for each training a number for each of `ASKED`: accuracy on longer rows at places
    that the rounds of training suffice for (`easy`), at those that take more than twice as many
    (`hard`), and the share of rows as long as in training that are right throughout (`usual`).
    """
    del context
    strange, steps, name = bool(settings.get("null")), settings["steps"], settings["arm"]
    recall, progressive = name != "no recall", name != "at the end"

    def loss(network: Thinker, key: Key[Array, ""]) -> Float[Array, ""]:
        draw, stop = jax.random.split(key)
        row, right = rows(draw, BATCH, LENGTH, strange=strange)
        begun, last = jnp.sort(jax.random.randint(stop, (2,), 0, ROUNDS))
        if not progressive:
            begun, last = jnp.int32(-1), jnp.int32(ROUNDS - 1)
        logits = jax.vmap(lambda r: network.think(r, ROUNDS, begun, recall=recall))(row)
        return optax.softmax_cross_entropy_with_integer_labels(logits[:, last], right).mean()

    def right_at(network: Thinker, key: Key[Array, ""], length: int) -> Array:
        row, right = rows(key, DRAWN, length, strange=strange)
        at = jnp.array(ASKED) - 1

        def one(row: Array) -> Array:
            return network.think(row, max(ASKED), jnp.int32(-1), recall=recall)[at].argmax(-1)

        return jax.vmap(one)(row) == right[:, None]

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, " asked"]]:
        make, learn, judge, usual = jax.random.split(key, 4)
        network, _ = descended(
            loss, Thinker(make), learn, steps=steps, learning_rate=settings.get("rate", RATE)
        )
        longer = right_at(network, judge, LONGER)
        return {
            "easy": longer[..., EASY].mean((0, 2)),
            "hard": longer[..., HARD].mean((0, 2)),
            "usual": right_at(network, usual, LENGTH).all(2).mean(0),
        }

    found = side_by_side(one, keys_of(settings))
    trained = settings["trainings"]
    return outcome(found, fits=steps * trained, data=float(np.float64(steps) * BATCH * trained))
