"""Whether the likeliest next token, each time, makes the likeliest text.

A transformer learns a Markov chain of its own in each training. After every prompt the likelihood
of every text of some length by the model itself is worked out, given all before each token, so that
the likeliest is known exactly. Beside it: what is written with the likeliest token each time, what
beams with the same model find, and what is drawn.

The null: tokens are independent of those before them, so that the likeliest text is made of the
likeliest tokens.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ....amortised import NetworkPolicy, Transformer, descended, next_token_loss, side_by_side
from ....core import rollout
from ....runs import Context, Outcome
from ....tasks.text import MarkovText
from ..arms import keys_of, outcome
from .chains import Chain, contexts_of, divergence, drawn_chain, drawn_texts

VOCABULARY, ORDER, PLACES = 3, 2, 8
PROMPTS, TEXTS = VOCABULARY**ORDER, VOCABULARY**PLACES
WIDTH, DEPTH, HEADS = 16, 1, 2
BATCH, RATE, ASKED = 32, 1e-2, 512
BEAMS = (1, 2, 4, 8)
"""Widths; a beam of one takes the likeliest token each time."""
EFFORTS = (1, 64)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes by training: `short` [prompts, beams, lengths], nats by which the text that a beam
    finds is less likely than the likeliest of that length, by the model, and `drawn` [prompts] the
    same of a drawn text of full length; `source_short` [prompts], of greedy choices by the source's
    own table; `divergence` from it (nats a token). `same`: the share of texts of the first network
    that are the same told of little effort and of much.
    """
    del context
    steps, null = settings["steps"], bool(settings.get("null"))
    every = jnp.asarray(all_texts())

    def one(key: Key[Array, ""], every: Any) -> dict[str, Any]:
        tell, make, learn, judge = jax.random.split(key, 4)
        source = drawn_chain(tell, VOCABULARY, ORDER, flat=null)

        def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
            return next_token_loss(network, drawn_texts(source, key, BATCH, ORDER + PLACES))

        network = Transformer((ORDER + PLACES,), VOCABULARY, WIDTH, DEPTH, HEADS, key=make)
        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        return judged(network, source, every, judge)

    found = side_by_side(one, keys_of(settings), every)
    found["same"] = np.full(settings["trainings"], same(found.pop("network")))
    fits = settings["trainings"] * steps
    return outcome(found, fits=fits, data=float(fits * BATCH))


def all_texts() -> np.ndarray:
    """[prompts, texts, places], by number: the last token changes fastest."""
    numbers = np.arange(PROMPTS * TEXTS)[:, None]
    digits = numbers // VOCABULARY ** np.arange(ORDER + PLACES - 1, -1, -1) % VOCABULARY
    return digits.reshape(PROMPTS, TEXTS, -1).astype(np.int32)


def judged(network: Transformer, source: Chain, every: Any, key: Key[Array, ""]) -> dict[str, Any]:
    """How likely what is written is, beside the likeliest."""

    def by_model(texts: Any) -> Float[Array, "texts places"]:
        logs = jax.nn.log_softmax(network.predict(texts[:, :-1]))[:, ORDER:]
        return jnp.take_along_axis(logs, texts[:, ORDER:, None], -1)[..., 0].cumsum(1)

    def by_source(texts: Any) -> Float[Array, "texts places"]:
        known = jnp.log(source.table)[contexts_of(source, texts)]
        return jnp.take_along_axis(known, texts[:, ORDER:, None], -1)[..., 0].cumsum(1)

    def prompt(given: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        texts, key = given
        sums = by_model(texts)
        best = jnp.stack([at.max() for at in levels(sums)])
        short = best - jnp.stack([beam(sums, width) for width in BEAMS])
        drawn = sums[:, -1].max() - sums[jax.random.categorical(key, sums[:, -1]), -1]
        known = by_source(texts)
        return short, drawn, known[:, -1].max() - beam(known, 1)[-1]

    judge, *keys = jax.random.split(key, PROMPTS + 1)
    short, drawn, plainly = jax.lax.map(prompt, (every, jnp.stack(keys)))
    fresh = drawn_texts(source, judge, ASKED, ORDER + PLACES)
    apart = divergence(source, fresh, network.predict(fresh[:, :-1]))
    return {"short": short, "drawn": drawn, "source_short": plainly, "divergence": apart,
            "network": eqx.filter(network, eqx.is_array)}  # fmt: skip


def levels(sums: Float[Array, "texts places"]) -> list[Float[Array, " prefixes"]]:
    """The log-probability of every beginning of 1, 2, ... tokens."""
    return [sums[:: VOCABULARY ** (PLACES - 1 - at), at] for at in range(PLACES)]


def beam(sums: Float[Array, "texts places"], width: int) -> Float[Array, " places"]:
    """The log-probability of the best text of each length that a beam comes to (Lowerre 1976).

    Of every text that it holds it asks the model for each next token, and keeps the likeliest few.
    """
    held, best = jnp.zeros(1, jnp.int32), []
    for known in levels(sums):
        after = (held[:, None] * VOCABULARY + jnp.arange(VOCABULARY)).reshape(-1)
        nats, which = jax.lax.top_k(known[after], min(width, len(after)))
        held = after[which]
        best.append(nats[0])
    return jnp.stack(best)


def same(networks: Any) -> float:
    """Of the first network's greedy texts, how many are the same at each effort that is offered."""
    told = (ORDER + PLACES,), VOCABULARY, WIDTH, DEPTH, HEADS
    plain = Transformer(*told, key=jax.random.key(0))
    first = jax.tree.map(lambda part: jnp.asarray(part[0]), networks)
    network = eqx.combine(first, plain)
    task = MarkovText(vocabulary=VOCABULARY, order=ORDER, length=PLACES, writes=True)
    policy = NetworkPolicy(task, network)
    little, much = (
        rollout(task, policy, key=jax.random.key(1), batch=32, budget=effort).final.tokens
        for effort in EFFORTS
    )
    return float((little == much).all(1).mean())
