"""A network that thinks in rounds, trained on small worlds and asked about larger ones.

A world says what is seen in each of its cells (places of a row, fields of a maze), what is right to
say there, and how far news has to come for it: a round carries news by one cell, so that a cell
takes as many rounds as news has cells to pass. One gated block of convolutions is applied again and
again to its own state and to what is seen, which is put in anew in every round ("recall"); the
answer is asked for after random numbers of rounds, of which the first are not learned from
("progressive"; Bansal et al. 2022, "End-to-end algorithm synthesis with recurrent networks"; the
gates are those of Kaiser and Sutskever 2016, "Neural GPUs learn algorithms", without the reset).

Arms: "whole"; "no recall" (what is seen is put in before the first round alone); "at the end"
(asked for after the last round of training, not progressively); "own layers" (every round of
training has weights of its own, as a network of fixed depth has: to think longer it starts again at
the first). The null: the answers are those of other rows or mazes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Outcome
from ..arms import keys_of, outcome

HALF_ROUNDS = (1, 2, 3, 4, 6, 9, 12)
"""After how many halves of the rounds of training answers are asked for."""
RATE = 1e-2
State = Float[Array, "*cells width"]


class Drawn(NamedTuple):
    """Rows or mazes."""

    seen: Float[Array, "n *cells channels"]
    right: Int[Array, "n *cells"]
    """Which of two answers."""
    far: Int[Array, "n *cells"]
    """Cells that news has to pass."""


class World(NamedTuple):
    """What there is to think about, and with how much of a network."""

    draw: Callable[[Key[Array, ""], int, int], Drawn]
    """So many, of a size."""
    near: Callable[[State, Float[Array, "*cells channels"]], Float[Array, "*cells near"]]
    """What a round reads in a cell."""
    inputs: int
    """Numbers that a round reads in a cell."""
    small: int
    large: int
    rounds: int
    """Of training, at most."""
    width: int = 10
    hidden: int = 0
    """Units between what is read and the gates, if any."""
    batch: int = 32
    drawn: int = 256
    """Asked about afterwards."""

    @property
    def asked(self) -> tuple[int, ...]:
        """Rounds that are asked for afterwards."""
        return tuple(half * self.rounds // 2 for half in HALF_ROUNDS)


class Thinker(eqx.Module):
    """h + gate (new - h), both from h and what is seen in a cell and beside it."""

    hidden: Float[Array, "layers inputs hidden"] | None
    gate: Float[Array, "layers near width"]
    gate_bias: Float[Array, "layers width"]
    new: Float[Array, "layers near width"]
    new_bias: Float[Array, "layers width"]
    out: Float[Array, "width two"]
    near: Callable[[State, Array], Array] = eqx.field(static=True)

    def __init__(self, world: World, key: Key[Array, ""], layers: int = 1):
        one, two, three = jax.random.split(key, 3)
        near, width = world.hidden or world.inputs, world.width
        self.near = world.near
        self.hidden = None
        if world.hidden:
            four, shape = jax.random.fold_in(key, 4), (layers, world.inputs, world.hidden)
            self.hidden = jax.random.normal(four, shape) * (2 / world.inputs) ** 0.5
        self.gate = jax.random.normal(one, (layers, near, width)) * near**-0.5
        self.new = jax.random.normal(two, (layers, near, width)) * near**-0.5
        self.gate_bias, self.new_bias = jnp.zeros((layers, width)), jnp.zeros((layers, width))
        self.out = jax.random.normal(three, (width, 2)) * width**-0.5

    def round(
        self, state: State, seen: Float[Array, "*cells channels"], layer: Int[Array, ""] | int
    ) -> State:
        """One round."""
        read = self.near(state, seen)
        if self.hidden is not None:
            read = jax.nn.relu(read @ self.hidden[layer])
        gate = jax.nn.sigmoid(read @ self.gate[layer] + self.gate_bias[layer])
        new = jnp.tanh(read @ self.new[layer] + self.new_bias[layer])
        return state + gate * (new - state)

    def think(
        self, seen: Float[Array, "*cells channels"], rounds: int, begun: Int[Array, ""], *,
        recall: bool,
    ) -> Float[Array, "rounds *cells two"]:  # fmt: skip
        """Logits after 1 to `rounds`; nothing is learned from those before round `begun`."""
        layers = len(self.gate)

        def on(state: State, now: Int[Array, ""]) -> tuple[State, State]:
            state = jnp.where(now == begun, jax.lax.stop_gradient(state), state)
            layer = now % layers if layers > 1 else 0
            after = self.round(state, seen if recall else jnp.where(now == 0, seen, 0.0), layer)
            return after, after

        blank = jnp.zeros((*seen.shape[:-1], len(self.out)))
        return jax.lax.scan(on, blank, jnp.arange(rounds))[1] @ self.out


def taught(world: World, settings: dict[str, Any]) -> Outcome:
    """Outcomes, for each training a number for each round asked for: accuracy in larger rows or
    mazes at cells that the rounds of training suffice for (`easy`), at those that take more than
    twice as many and at most three times (`hard`), and the share of those as large as in training
    that are right throughout (`usual`).
    """
    steps, name = settings["steps"], settings["arm"]
    recall, progressive = name != "no recall", name != "at the end"
    layers, once = world.rounds if name == "own layers" else 1, jnp.int32(-1)

    def some(key: Key[Array, ""], n: int, size: int) -> Drawn:
        drawn = world.draw(key, n, size)
        return drawn._replace(right=jnp.roll(drawn.right, 1, 0)) if settings.get("null") else drawn

    def loss(network: Thinker, key: Key[Array, ""]) -> Float[Array, ""]:
        draw, stop = jax.random.split(key)
        these = some(draw, world.batch, world.small)
        begun, last = jnp.sort(jax.random.randint(stop, (2,), 0, world.rounds))
        if not progressive:
            begun, last = once, jnp.int32(world.rounds - 1)
        logits = jax.vmap(lambda x: network.think(x, world.rounds, begun, recall=recall))
        said = logits(these.seen)[:, last]
        return optax.softmax_cross_entropy_with_integer_labels(said, these.right).mean()

    def right(network: Thinker, these: Drawn) -> Array:
        """Whether each cell is right: [asked, n, cells]."""
        at = jnp.array(world.asked) - 1

        def one(seen: Array) -> Array:
            return network.think(seen, max(world.asked), once, recall=recall)[at].argmax(-1)

        found = jax.lax.map(one, these.seen, batch_size=32) == these.right[:, None]
        return jnp.moveaxis(found, 1, 0).reshape(len(at), len(these.seen), -1)

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, " asked"]]:
        make, learn, judge, usual = jax.random.split(key, 4)
        rate = settings.get("rate", RATE)
        begun = Thinker(world, make, layers)
        network, _ = descended(loss, begun, learn, steps=steps, learning_rate=rate)
        larger, alike = some(judge, world.drawn, world.large), some(usual, world.drawn, world.small)
        far, found = larger.far.reshape(world.drawn, -1), right(network, larger)
        hard = (far >= 2 * world.rounds) & (far < 3 * world.rounds)
        return {
            "easy": found.mean((1, 2), where=far < world.rounds),
            "hard": found.mean((1, 2), where=hard),
            "usual": right(network, alike).all(2).mean(1),
        }

    trained = settings["trainings"]
    data = float(np.float64(steps) * world.batch * trained)
    return outcome(side_by_side(one, keys_of(settings)), fits=steps * trained, data=data)
