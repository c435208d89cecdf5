"""A learner that can do either: look its answer up by the input's number, or search the input.

Inputs are lists of numbers, and the answer is where the largest stands. One path is a table with a
row for each input of training; the other reads the list item by item and keeps what it will, with
weights that are the same for every item and every list. A gate between them is trained with both.
Which path comes to carry the answers is read off by cutting each, that is by putting in its place
what it says of other inputs: an answer that comes from there alone is then right as often as two
inputs have the same one, whatever their number.

The null: the answers of the inputs are those of other inputs, so that a search finds nothing.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

ITEMS, WIDTH = 5, 16
SIZES = (4, 16, 64, 256, 1024)
"""Different inputs in training, which lasts as long for each."""
SHIFTS = (1, 2, 3)
"""By how many places what a path says is handed on when it is cut; taken together."""
RATE, DECAY, BATCH = 1e-2, 1e-2, 32
Lists = Float[Array, "n items"]
Logits = Float[Array, "n items"]


class Either(eqx.Module):
    """A table and a recurrent search, with a gate between their logits."""

    gate: Float[Array, ""]
    table: Float[Array, "inputs items"]
    cell: eqx.nn.GRUCell
    out: Float[Array, "width items"]

    def __init__(self, key: Key[Array, ""]):
        first, second = jax.random.split(key)
        self.gate, self.table = jnp.float32(0), jnp.zeros((max(SIZES), ITEMS))
        self.cell = eqx.nn.GRUCell(1 + ITEMS, WIDTH, key=first)
        self.out = jax.random.normal(second, (WIDTH, ITEMS)) * WIDTH**-0.5

    def paths(self, which: Int[Array, " n"], lists: Lists) -> tuple[Logits, Logits]:
        """What the table says, and what the search says, each behind the gate."""
        shut = jax.nn.sigmoid(self.gate)
        return 2 * (1 - shut) * self.table[which], 2 * shut * jax.vmap(self.search)(lists)

    def search(self, items: Float[Array, " items"]) -> Float[Array, " items"]:
        """Logits after one look at each item, in order."""
        seen = jnp.concatenate([items[:, None], jnp.eye(ITEMS)], 1)
        state, _ = jax.lax.scan(lambda h, x: (self.cell(x, h), None), jnp.zeros(WIDTH), seen)
        return state @ self.out


def world(key: Key[Array, ""], *, shuffled: bool) -> tuple[Lists, Int[Array, " n"]]:
    """Lists and where the largest stands; `shuffled`, answers are those of other lists."""
    draw, mix = jax.random.split(key)
    lists = jax.random.normal(draw, (max(SIZES), ITEMS))
    answers = lists.argmax(1)
    # Drawn anew and not permuted: the first few inputs are all that some trainings see.
    return lists, jax.random.randint(mix, answers.shape, 0, ITEMS) if shuffled else answers


def cut(part: Logits, size: Int[Array, ""], by: int) -> Logits:
    """A path with what it says of the first `size` inputs handed on by some places in a ring."""
    return part[(jnp.arange(len(part)) + by) % size]


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, for each training a number a size of `SIZES`: accuracy on the inputs of training
    (`whole`, `no_table`, `no_search`: with that path cut); where an input of training comes with a
    new list that has another answer, how often that is given (`by_list`) and how often the one that
    was learned (`by_number`); `fresh` (accuracy of the search alone on new lists); `gate` (the
    search's share).
    """
    del context
    shuffled, steps = bool(settings.get("null")), settings["steps"]

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, " sizes"]]:
        make, place, learn, judge = jax.random.split(key, 4)
        lists, answers = world(place, shuffled=shuffled)
        new, right = world(judge, shuffled=shuffled)

        def at(size: Int[Array, ""]) -> dict[str, Float[Array, ""]]:
            def loss(network: Either, key: Key[Array, ""]) -> Float[Array, ""]:
                which = jax.random.randint(key, (BATCH,), 0, size)
                logits = sum(network.paths(which, lists[which]))
                return optax.softmax_cross_entropy_with_integer_labels(
                    logits, answers[which]
                ).mean()

            network, _ = descended(
                loss, Either(make), learn, steps=steps, learning_rate=RATE, weight_decay=DECAY
            )
            among = jnp.arange(max(SIZES)) < size
            looked, searched = network.paths(jnp.arange(max(SIZES)), lists)

            def share(*logits: Logits) -> Float[Array, ""]:
                right = jnp.stack([x.argmax(1) == answers for x in logits])
                return (right & among).mean(0).sum() / size

            fresh = jax.vmap(network.search)(new).argmax(1) == right
            given = (looked + network.paths(jnp.arange(max(SIZES)), new)[1]).argmax(1)
            apart = among & (right != answers)
            return {
                "whole": share(looked + searched),
                "no_table": share(*(cut(looked, size, by) + searched for by in SHIFTS)),
                "no_search": share(*(looked + cut(searched, size, by) for by in SHIFTS)),
                "by_list": ((given == right) & apart).sum() / jnp.maximum(apart.sum(), 1),
                "by_number": ((given == answers) & apart).sum() / jnp.maximum(apart.sum(), 1),
                "fresh": fresh.mean(),
                "gate": jax.nn.sigmoid(network.gate),
            }

        return jax.vmap(at)(jnp.array(SIZES))

    found = side_by_side(one, keys_of(settings), most=8)
    fits = steps * settings["trainings"] * len(SIZES)
    return outcome(found, fits=fits, data=float(np.float64(fits) * BATCH))
