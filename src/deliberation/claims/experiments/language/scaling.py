"""Models of a known source by how large they are and how much text they saw.

Every training has a Markov chain of its own, and learns to tell the next token of so many of its
texts, which are gone through again and again for as many steps whatever their number. How far the
model's next token is from the source's is exact at each place. Of the largest model from the most
text it is asked, too, what it writes, and what the same network writes once it was taught by reward
that its texts should surprise the network as it was little.

An arm is a size ("8": so wide). The null: the tokens of each text to learn from are shuffled, so
that nothing is left to be learned but how often each occurs.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from .chains import Chain, contexts_of, divergence, drawn_chain, drawn_texts, shuffled
from .writing import stacked, tuned, written

VOCABULARY, ORDER, LENGTH = 4, 2, 12
WIDTHS, TEXTS = (2, 4, 8, 16), (16, 128, 1024)
"""Sizes, and numbers of texts to learn from."""
DEPTH, HEADS = 1, 2
BATCH, RATE, TUNED, TUNING = 32, 1e-2, 64, 3e-3
ASKED = 512
ARMS = tuple(map(str, WIDTHS))


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, a number a training (nats a token): `divergence` [trainings, numbers of texts] of
    the model from the source on the source's texts; `rate`, the source's entropy rate, and
    `alone`, of a token by itself. Of the widest, from most texts: the entropy of the next token
    where it writes (`own`), and how it surprises the source (`surprise`); the same of the network
    taught by reward (`own_tuned`, `surprise_tuned`), and the surprise of the likeliest text
    (`likeliest`).
    """
    del context
    steps, width, null = settings["steps"], int(settings["arm"]), bool(settings.get("null"))

    def one(key: Key[Array, ""], numbers: Int[Array, " numbers"]) -> dict[str, Float[Array, "..."]]:
        tell, read, mix, make, learn, reward, judge, ask = jax.random.split(key, 8)
        source = drawn_chain(tell, VOCABULARY, ORDER)
        texts = drawn_texts(source, read, max(TEXTS), LENGTH)
        texts = shuffled(texts, mix) if null else texts
        fresh = drawn_texts(source, judge, ASKED, LENGTH)

        def trained(number: Int[Array, ""]) -> tuple[Transformer, Float[Array, ""]]:
            def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
                rows = jax.random.randint(key, (BATCH,), 0, number)
                return next_token_loss(network, texts[rows])

            network = Transformer((LENGTH,), VOCABULARY, width, DEPTH, HEADS, key=make)
            network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
            return network, divergence(source, fresh, network.predict(fresh[:, :-1]))

        networks, apart = jax.lax.map(trained, numbers)
        found = {"divergence": apart, "rate": source.entropy_rate, "alone": source.unigram_entropy}
        if width < max(WIDTHS):
            return found
        network = jax.tree.map(lambda part: part[-1], networks)

        def firsts(key: Key[Array, ""]) -> Int[Array, "n order"]:
            return drawn_texts(source, key, TUNED, LENGTH, firsts=True)

        taught = tuned(network, firsts, LENGTH - ORDER, reward, steps=settings["tunings"],
                       rate=TUNING)  # fmt: skip
        return found | asked(network, taught, source, ask)

    found = side_by_side(one, keys_of(settings), jnp.array(TEXTS))
    count, widest = settings["trainings"], width == max(WIDTHS)
    fits = count * (steps * len(TEXTS) + settings["tunings"] * widest)
    return outcome(found, fits=fits, data=float(count * sum(TEXTS)))


def asked(
    network: Transformer, taught: Transformer, source: Chain, key: Key[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """What both write after first tokens of the source."""
    begin, *keys = jax.random.split(key, 3)
    first = drawn_texts(source, begin, ASKED, LENGTH, firsts=True)

    def say(by: tuple[Transformer, Key[Array, ""]]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        new, _ = written(by[0], first, by[1], LENGTH - ORDER)
        texts = jnp.concatenate([first, new], 1)
        logs = jax.nn.log_softmax(by[0].predict(texts[:, :-1]))[:, ORDER:]
        known = jnp.log(source.table)[contexts_of(source, texts)]
        surprise = -jnp.take_along_axis(known, new[..., None], -1).mean()
        return -(jnp.exp(logs) * logs).sum(-1).mean(), surprise

    own, surprise = jax.lax.map(say, (stacked(network, taught), jnp.stack(keys)))
    return {
        "own": own[0], "own_tuned": own[1],
        "surprise": surprise[0], "surprise_tuned": surprise[1],
        "likeliest": likeliest(source, LENGTH - ORDER),
    }  # fmt: skip


def likeliest(source: Chain, places: int) -> Float[Array, ""]:
    """Nats a token of the likeliest texts of so many tokens, by how often each context begins
    one (Viterbi 1967)."""
    rows, vocabulary = source.table.shape
    after = jnp.arange(rows)[:, None] % (rows // vocabulary) * vocabulary + jnp.arange(vocabulary)

    def back(best: Float[Array, " contexts"], _: None) -> tuple[Float[Array, " contexts"], None]:
        return (jnp.log(source.table) + best[after]).max(1), None

    best, _ = jax.lax.scan(back, jnp.zeros(rows), None, length=places)
    return -(source.stationary @ best) / places
