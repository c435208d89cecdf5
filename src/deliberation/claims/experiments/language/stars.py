"""Paths on a star as text: written from the start, or from the goal back.

A text names the edges of a star in any order, each as one word, then the start and the goal, and
the path between them. A transformer is trained as language models are: to tell each token of the
path given the right ones before it. From the start, the first move takes a search, and every later
node follows from the one before; from the goal back, every node does (Bachmann and Nagarajan 2024,
"The pitfalls of next-token prediction", who name edges by two tokens and train for far longer).

Arms: "forward" and "backward". The null: both are written from the goal back.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..inside.path_star import ARMS, LONG, NAMES, Stars, draw, walked_back

EDGES = ARMS * LONG
ASKED = EDGES + 3
"""Places of a prompt: the edges, the start, the goal, and a sign that asks."""
PLACES = ASKED + LONG + 1
SIGN = NAMES
WORDS = NAMES + 1 + NAMES**2
"""Names of nodes, the sign, and a word for each edge that there can be."""
WIDTH, DEPTH, HEADS = 32, 2, 4
RATE, BATCH, DRAWN = 1e-2, 64, 2048

Texts = Int[Array, "n places"]


def written_out(stars: Stars, *, back: bool) -> Texts:
    """Stars with their paths as texts, from the start on or from the goal back."""
    edges = SIGN + 1 + stars.edges[..., 0] * NAMES + stars.edges[..., 1]
    sign = jnp.full((len(edges), 1), SIGN)
    path = jnp.concatenate([stars.told[:, :1], stars.path], 1)
    return jnp.concatenate([edges, stars.told, sign, path[:, ::-1] if back else path], 1)


def path_loss(network: Transformer, texts: Texts) -> Float[Array, ""]:
    """Nats a token of the path behind its first node, which the prompt tells."""
    counts = jnp.arange(PLACES) > ASKED
    return next_token_loss(network, texts, jnp.broadcast_to(counts, texts.shape).astype(float))


def judged(network: Transformer, texts: Texts, *, back: bool) -> dict[str, Float[Array, "..."]]:
    """How much of fresh texts is right: see `train`."""
    guessed = network.predict(texts[:, :-1]).argmax(-1)
    right = (guessed == texts)[:, ASKED + 1 :].mean(0)

    def add(own: Texts, place: Array) -> tuple[Texts, None]:
        token = network.predict(own[:, :-1])[:, place].argmax(-1)
        return own.at[:, place].set(token.astype(own.dtype)), None

    own, _ = jax.lax.scan(add, texts, jnp.arange(ASKED + 1, PLACES))
    # The first move is the node next to the start: the last but one where that is written last.
    first = LONG - 2 if back else 0
    others = jnp.delete(right, first, assume_unique_indices=True)
    return {"first": right[first], "others": others.min(), "whole": (own == texts).all(1).mean()}


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes by training, of fresh stars, shares: `first` (the first move right, given the right
    tokens before it), `others` (the least of the other nodes that the prompt does not tell where
    they are written), `whole` (the path right as the network writes it by itself, the likeliest
    token each time), and `searched` (the first move found by walking back from the goal).
    """
    del context
    steps = settings["steps"]
    back = bool(settings.get("null")) or settings["arm"] == "backward"

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        return path_loss(network, written_out(draw(key, BATCH), back=back))

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, "..."]]:
        make, learn, judge = jax.random.split(key, 3)
        network = Transformer((PLACES,), WORDS, WIDTH, DEPTH, HEADS, key=make)
        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        stars = draw(judge, DRAWN)
        found = judged(network, written_out(stars, back=back), back=back)
        return found | {"searched": (walked_back(stars) == stars.path[:, 0]).mean()}

    found = side_by_side(one, keys_of(settings))
    fits = settings["trainings"] * steps
    return outcome(found, fits=fits, data=float(fits * BATCH))
