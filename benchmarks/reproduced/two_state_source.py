"""A source of two states: what is lost by who sees single tokens, and by who sees what was before.

Everything but the trainings is exact: losses are expectations over all texts.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from deliberation.amortised import Transformer, descended, next_token_loss, side_by_side
from deliberation.claims.experiments.language.chains import chain, drawn_texts
from deliberation.stats import Estimate, bootstrap
from deliberation.tasks.text import MarkovText

from . import Row

REPRODUCTION = {
    "name": "two_state_source",
    "title": "A two-state source, seen token by token and in order",
    "source": "Shannon 1948, sections 2 to 7; simplest case, by formula",
    "published": "With probabilities .5 and .8 to leave its states, the best predictor that looks "
    "at no other token loses .6663 nats a token, and the best of all .6190, the entropy rate.",
    "tolerance": ".0001 for formulas, .003 nats for trainings",
    "unprinted": {"*": "formula"},
    "by_construction": {"by formula: *": "the formula itself"},
}
UNIGRAM, RATE = 0.6663, 0.6190
TABLE, LENGTH, WIDTH = ((0.5, 0.5), (0.8, 0.2)), 8, 8
TRAININGS = {"smoke": 6, "quick": 12, "full": 24}
STEPS = {"smoke": 500, "quick": 800, "full": 1500}
BATCH, TOLERANCE = 64, 0.003


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """What formulas say, and where trainings end; these are resampled."""
    task = MarkovText(vocabulary=2, order=1, table=TABLE)
    found = trained(TRAININGS[effort], STEPS[effort], key)
    told = {
        "trained on single tokens": ("alone", UNIGRAM),
        "trained on texts whose tokens were exchanged between texts": ("mixed", UNIGRAM),
        "trained on texts, at their first token": ("first", UNIGRAM),
        "trained on texts, at all others": ("later", RATE),
    }
    formulas = (("by formula: best unigram", UNIGRAM, task.unigram_entropy),
                ("by formula: entropy rate", RATE, task.entropy_rate))  # fmt: skip
    return [
        *(Row(what, end, Estimate(x, x, x, 1), end - 1e-4, end + 1e-4)
          for what, end, x in formulas),
        *(Row(what, end, bootstrap(found[name], bounds=(0, 3)), end - TOLERANCE, end + TOLERANCE)
          for what, (name, end) in told.items()),
    ]  # fmt: skip


def all_texts() -> tuple[Int[np.ndarray, "texts length"], Float[np.ndarray, " texts"]]:
    """Every text, and how probable it is."""
    table = np.array(TABLE)
    begun = np.linalg.matrix_power(table, 64)[0]
    texts = np.array(list(itertools.product((0, 1), repeat=LENGTH)), np.int32)
    return texts, begun[texts[:, 0]] * table[texts[:, :-1], texts[:, 1:]].prod(1)


def trained(count: int, steps: int, key: Key[Array, ""]) -> dict[str, Float[np.ndarray, " n"]]:
    """Expected losses (nats a token), one for each training."""
    texts, chances = all_texts()
    source = chain(jnp.array(TABLE))

    def lost(network: Transformer, texts: Array) -> Float[Array, "texts length"]:
        logs = jax.nn.log_softmax(network.predict(texts[:, :-1]))
        return -jnp.take_along_axis(logs, texts[..., None], -1)[..., 0]

    def fitted(key: Key[Array, ""], length: int, mixed: bool) -> Transformer:
        make, learn = jax.random.split(key)

        def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
            draw, mix = jax.random.split(key)
            some = drawn_texts(source, draw, BATCH, LENGTH)
            if mixed:
                some = jax.random.permutation(mix, some.reshape(-1)).reshape(some.shape)
            return next_token_loss(network, some[:, :length])

        network = Transformer((length,), 2, WIDTH, 1, 2, key=make)
        return descended(loss, network, learn, steps=steps, learning_rate=1e-2)[0]

    def one(key: Key[Array, ""], texts: Array, chances: Array) -> dict[str, Float[Array, ""]]:
        alone, mixed, whole = jax.random.split(key, 3)
        single = lost(fitted(alone, 1, False), texts[:, :1])
        each = chances @ lost(fitted(whole, LENGTH, False), texts)
        return {
            "alone": chances @ single[:, 0],
            "mixed": (chances @ lost(fitted(mixed, LENGTH, True), texts)).mean(),
            "first": each[0],
            "later": each[1:].mean(),
        }

    return side_by_side(one, jax.random.split(key, count), jnp.array(texts), jnp.array(chances))
