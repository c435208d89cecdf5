"""Sources of text that are known exactly, one for each training: Markov chains over a few tokens.

Like the texts of `MarkovText`, but the table is an array, so that trainings side by side have each
a source of its own, and what a model of it loses is exact in each.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

SPREAD, FLOOR = 0.3, 0.05
"""Concentration of the rows of a drawn table, and the share of each that is even."""


class Chain(NamedTuple):
    """A row of probabilities for each context (latest token in its last place), and how often each
    context occurs."""

    table: Float[Array, "contexts vocabulary"]
    stationary: Float[Array, " contexts"]

    @property
    def entropy_rate(self) -> Float[Array, ""]:
        """Nats a token: the least mean loss that a predictor can have."""
        return -(self.stationary[:, None] * self.table * jnp.log(self.table)).sum()

    @property
    def unigram_entropy(self) -> Float[Array, ""]:
        """Nats of a token by itself."""
        alone = self.stationary @ self.table
        return -(alone * jnp.log(alone)).sum()


def chain(table: Float[Array, "contexts vocabulary"]) -> Chain:
    """The chain of a table whose probabilities are all above 0."""
    contexts, vocabulary = table.shape
    numbers = np.arange(contexts)[:, None] % (contexts // vocabulary) * vocabulary
    after = numbers + np.arange(vocabulary)
    moves = jnp.zeros((contexts, contexts)).at[np.arange(contexts)[:, None], after].add(table)
    for _ in range(12):  # 4,096 steps
        moves = moves @ moves
        moves = moves / moves.sum(1, keepdims=True)
    return Chain(table, moves.mean(0))


def drawn_chain(key: Key[Array, ""], vocabulary: int, order: int, *, flat: bool = False) -> Chain:
    """One whose rows are drawn by themselves; with `flat` all are the same, so tokens are
    independent."""
    rows = 1 if flat else vocabulary**order
    drawn = jax.random.dirichlet(key, jnp.full(vocabulary, SPREAD), (rows,))
    even = (1 - FLOOR) * drawn + FLOOR / vocabulary
    return chain(jnp.broadcast_to(even, (vocabulary**order, vocabulary)))


def order_of(source: Chain) -> int:
    """How many tokens make a context."""
    contexts, vocabulary = source.table.shape
    return round(np.log(contexts) / np.log(vocabulary))


def contexts_of(source: Chain, texts: Int[Array, "n length"]) -> Int[Array, "n later"]:
    """The number of the context of each token behind the first context."""
    vocabulary, order = source.table.shape[1], order_of(source)
    later = texts.shape[1] - order
    windows = [texts[:, i : i + later] * vocabulary ** (order - 1 - i) for i in range(order)]
    return jnp.stack(windows).sum(0)


def drawn_texts(
    source: Chain, key: Key[Array, ""], n: int, length: int, *, firsts: bool = False
) -> Int[Array, "n length"]:
    """Texts from the source, as if from the middle of one; with `firsts` their first contexts."""
    rows, vocabulary = source.table.shape
    order = order_of(source)
    begin, write = jax.random.split(key)
    context = jax.random.categorical(begin, jnp.log(source.stationary), shape=(n,))
    places = vocabulary ** jnp.arange(order - 1, -1, -1)
    first = context[:, None] // places % vocabulary
    if firsts:
        return first.astype(jnp.int32)

    def add(context: Array, lot: Array) -> tuple[Array, Array]:
        token = jnp.argmax(jnp.log(source.table)[context] + lot, -1)
        return context % (rows // vocabulary) * vocabulary + token, token

    lots = jax.random.gumbel(write, (length - order, n, vocabulary))
    _, rest = jax.lax.scan(add, context, lots)
    return jnp.concatenate([first, rest.T], 1).astype(jnp.int32)


def shuffled(texts: Int[Array, "n length"], key: Key[Array, ""]) -> Int[Array, "n length"]:
    """The tokens of each text in an order of its own: nothing is left but how often each occurs."""
    return jax.random.permutation(key, texts, axis=1, independent=True)


def divergence(
    source: Chain, texts: Int[Array, "n length"], logits: Float[Array, "n length vocabulary"]
) -> Float[Array, ""]:
    """Nats a token that who tells these logits for the tokens of texts, given all before each,
    loses to the source's own table; first contexts are left out."""
    later = contexts_of(source, texts)
    logs = jax.nn.log_softmax(logits)[:, -later.shape[1] :]
    table = source.table[later]
    return (table * (jnp.log(table) - logs)).sum(-1).mean()
