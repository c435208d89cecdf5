"""A recurrent network whose rounds are a budget: more of them than in training solve more.

One block is applied again and again to its own output and to the input, which is put in anew in
every round ("recall"), and training asks for the answer after random numbers of rounds, of which
the first ones are not learned from ("progressive loss"): Schwarzschild et al. 2021, "Can you learn
an algorithm?"; Bansal et al. 2022, "End-to-end algorithm synthesis with recurrent networks".
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from ...core.ledger import Ledger
from ..networks.feed_forward import Buildable, Dense, _check_sizes
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch

Labelled = Callable[[Key[Array, ""]], tuple[Int[Array, " length"], Int[Array, " length"]]]
"""Draws a row of symbols from 0, and the symbol that belongs to every place of it."""
Cells = Float[Array, "length width"]
PROGRESSIVE = 1.0
"""The weight of the loss after random numbers of rounds; the rest is that after all of them. With
half of it, rows of twice the length in training were solved less often."""


class Block(eqx.Module):
    """Two layers over a place and its two neighbours; what they give is added to what came in."""

    recall: Dense
    again: Dense

    def __call__(self, cells: Cells, seen: Float[Array, "length symbols"]) -> Cells:
        """One round: two places further in both directions."""
        inner = jax.nn.relu(self.recall(_beside(jnp.concatenate([cells, seen], 1))))
        return jax.nn.relu(cells + self.again(_beside(inner)))


class ThinkingNetwork(Buildable):
    """Rows of symbols of any length in, logits of the symbol of every place out.

    With one block the number of rounds is whatever is asked for. With several it is an ordinary
    network of that depth: each block is applied once, and rounds beyond them change nothing.
    """

    kind: ClassVar[str] = "thinking"
    symbols: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    enter: Dense
    blocks: tuple[Block, ...]
    leave: Dense

    def __init__(self, symbols: int = 2, width: int = 24, blocks: int = 1, *, key: Key[Array, ""]):
        _check_sizes(symbols=symbols, width=width, blocks=blocks)
        self.symbols, self.width = symbols, width
        keys = jax.random.split(key, 2 * blocks + 2)
        self.enter = Dense(3 * symbols, width, key=keys[0])
        self.leave = Dense(width, symbols, key=keys[1], scale=0.5)
        self.blocks = tuple(
            Block(
                Dense(3 * (width + symbols), width, key=keys[2 + 2 * i]),
                # What is added starts small, so that many rounds do not grow beyond all bounds.
                Dense(3 * width, width, key=keys[3 + 2 * i], scale=0.3),
            )
            for i in range(blocks)
        )

    def __call__(
        self, row: Int[Array, " length"], rounds: Int[Array, ""] | int
    ) -> Float[Array, "length symbols"]:
        """Logits after so many rounds; a traced number of them compiles nothing anew."""
        seen = jax.nn.one_hot(row, self.symbols)
        cells = jax.nn.relu(self.enter(_beside(seen)))
        if len(self.blocks) == 1:
            cells = jax.lax.fori_loop(0, rounds, lambda _, x: self.blocks[0](x, seen), cells)
        else:
            for i, block in enumerate(self.blocks):
                cells = jnp.where(i < rounds, block(cells, seen), cells)
        return self.leave(cells)

    def after(
        self, row: Int[Array, " length"], begun: Int[Array, ""], most: int
    ) -> Float[Array, "rounds length symbols"]:
        """Logits after 1 to `most` rounds; nothing is learned from those before round `begun`."""
        seen = jax.nn.one_hot(row, self.symbols)

        def advance(cells: Cells, now: Int[Array, ""], block: Block) -> Cells:
            return block(jnp.where(now == begun, jax.lax.stop_gradient(cells), cells), seen)

        cells = jax.nn.relu(self.enter(_beside(seen)))
        if len(self.blocks) > 1:
            found = []
            for i, block in enumerate(self.blocks[:most]):
                cells = advance(cells, jnp.int32(i), block)
                found.append(self.leave(cells))
            return jnp.stack(found)

        def scanned(cells: Cells, now: Int[Array, ""]) -> tuple[Cells, Cells]:
            after = advance(cells, now, self.blocks[0])
            return after, after

        return self.leave(jax.lax.scan(scanned, cells, jnp.arange(most))[1])

    @property
    def config(self) -> dict[str, Any]:
        """Kind, symbols, width and blocks."""
        size = {"symbols": self.symbols, "width": self.width, "blocks": len(self.blocks)}
        return {"kind": self.kind, **size}


def thinking_loss(
    network: ThinkingNetwork,
    rows: Int[Array, "batch length"],
    labels: Int[Array, "batch length"],
    key: Key[Array, ""],
    most: int,
) -> Float[Array, ""]:
    """The cross-entropy (nats a place) with the progressive loss, of at most so many rounds. Pure.

    n + k rounds of at most `most` are drawn, and the first n not learned from (Bansal et al. 2022,
    algorithm 1); an ordinary network is asked after its last block alone.
    """
    begun, last = jnp.sort(jax.random.randint(key, (2,), 0, most))
    alone = len(network.blocks) > 1
    begun, last = (jnp.int32(-1), jnp.int32(most - 1)) if alone else (begun, last)
    logits = jax.vmap(lambda row: network.after(row, begun, most))(rows)
    partly, wholly = (
        optax.softmax_cross_entropy_with_integer_labels(logits[:, at], labels).mean()
        for at in (last, most - 1)
    )
    return PROGRESSIVE * partly + (1 - PROGRESSIVE) * wholly


def fit_thinking(
    draw: Labelled,
    network: ThinkingNetwork,
    *,
    rounds: int,
    steps: int,
    key: Key[Array, ""],
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    watch: Watch | None = None,
) -> Trained:
    """Train on fresh rows with at most so many rounds; more can be asked for afterwards.

    The ledger counts rows as data, FLOPs are not counted. Raises `TrainingDivergedError`.
    """
    identity = training_identity(
        "thinking", key, network=network.config, batch_size=batch_size, rounds=rounds
    )
    each = Ledger(network_evaluations=batch_size, data=batch_size, flops=None)
    return fit_loss(
        _Drawn(draw, batch_size, rounds), network, steps=steps, key=key,
        learning_rate=learning_rate, each=each, identity=identity, watch=watch,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """The loss on fresh rows; equal ones are one program."""

    draw: Labelled
    batch_size: int
    rounds: int

    def __call__(
        self, network: ThinkingNetwork, key: Key[Array, ""]
    ) -> tuple[Float[Array, ""], Metrics]:
        first, second = jax.random.split(key)
        rows, labels = jax.vmap(self.draw)(jax.random.split(first, self.batch_size))
        return thinking_loss(network, rows, labels, second, self.rounds), {}


def prefix_sums(
    key: Key[Array, ""], length: int
) -> tuple[Int[Array, " length"], Int[Array, " length"]]:
    """A row of random bits, and at every place whether those up to it are odd in number."""
    bits = jax.random.bernoulli(key, shape=(length,)).astype(jnp.int32)
    return bits, jnp.cumsum(bits) % 2


def _beside(cells: Float[Array, "length width"]) -> Float[Array, "length three"]:
    """Every place with its two neighbours; beyond the ends there are zeros."""
    wide = jnp.pad(cells, ((1, 1), (0, 0)))
    return jnp.concatenate([wide[:-2], wide[1:-1], wide[2:]], 1)
